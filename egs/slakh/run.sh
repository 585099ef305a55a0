#!/usr/bin/env bash
# Bass, drums, guitar and piano out of their sum: the RQ-VAE of arXiv 2408.07020, as published and better.
# Music is rendered of MIDI files with soundfonts, in Slakh2100's layout; a real Slakh2100 is taken
# with SONGS. Fluidsynth and soundfonts come with Debian's packages and npm's, which stage 0 names (README.md). The first
# run also makes .venv.
#
#   bash egs/slakh/run.sh --nj 4                                finish what is missing
#   bash egs/slakh/run.sh --conf conf/ours_on.toml              after it; then conf/ours_on2.toml, conf/ours_on3.toml: the weights that ship
#   bash egs/slakh/run.sh --conf conf/paper.toml                the published architecture; paper_short, paper_short_on, paper_sisdr for less
#   bash egs/slakh/run.sh --conf conf/waveform.toml             after those three: the second separator that ships
#   bash egs/slakh/run.sh --conf conf/honest.toml               no path around the codes
#   bash egs/slakh/run.sh --conf conf/composable.toml           drums and bass without labels
#   bash egs/slakh/run.sh --conf conf/composable_codec.toml     the same on a codec's latents, made once by stage 2
#   bash egs/slakh/run.sh --stage 5                             score again, side by side
#   SONGS=/where/slakh2100_flac_redux bash egs/slakh/run.sh --data data/slakh --exp exp/slakh

conf=conf/ours.toml
family=separation
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

stage 0 fetch conf/data/rendered.toml     # -> data/midi, data/soundfonts
stage 1 prepare conf/data/rendered.toml   # -> data/{train,validation,test,test_seen_font}
stage 2 features                          # -> data/stems, data/mixtures
stage 3 train                             # -> exp/ours/train/model.safetensors
stage 4 infer                             # -> exp/ours/result
stage 5 score paper honest vqvae vae      # -> exp/ours/score.txt
stage 6 report                            # -> exp/ours/report.md

show "$exp/score.txt"
where "scores" "$exp/score"/*.md
where "report" "$exp/report.md"
