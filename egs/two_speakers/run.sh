#!/usr/bin/env bash
# Two known speakers, as in arXiv 2510.15669: an expert a speaker, trained on its own sound; conversations of
# which nobody says who talks; then who talks when, scored as its authors do and without their oracles.
# Conversations are made of ../shared/data/speech beside the checkout, or cut from your recordings with a
# speaker a channel (CHANNELS). The first run also makes .venv.
#
#   bash egs/two_speakers/run.sh                                 finish what is missing
#   bash egs/two_speakers/run.sh --conf conf/paper.toml          as the paper has it, all labels
#   bash egs/two_speakers/run.sh --conf conf/paper10.toml        a tenth of the labels
#   bash egs/two_speakers/run.sh --stage 5                       score again, side by side
#   CHANNELS=call.wav bash egs/two_speakers/run.sh --data data/call --exp exp/call

conf=conf/default.toml
family=two_speakers
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

stage 0 fetch                  # -> data/manifest.jsonl, data/train, data/dev
stage 3 train                  # -> exp/default/train/model.safetensors
stage 4 infer                  # -> exp/default/result
stage 5 score paper paper10    # -> exp/default/score.txt

show "$exp/score.txt"
where "scores" "$exp/score.md"
