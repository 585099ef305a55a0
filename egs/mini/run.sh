#!/usr/bin/env bash
# Who spoke when in a real 30 s telephone call and in a synthetic conversation: the whole
# diarization recipe, with trained weights, on a CPU. Beside it a tiny attributor is trained, to
# prove that training runs; what it finds is no result. The first run also makes .venv.
#
#   bash egs/mini/run.sh                finish what is missing
#   bash egs/mini/run.sh --stage 4      infer again, and all after it
#   bash egs/mini/run.sh --dry-run      what would be done

conf=conf/default.toml
family=diarization
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

stage 0 fetch mini                              # -> data/manifest.jsonl, ref.rttm, all.uem
stage 1 prepare mini conf/data/training.toml    # -> data/training
stage 2 features conf/tiny_attributor.toml      # -> data/training/heard
stage 3 train conf/tiny_attributor.toml         # -> exp/default/train/model.safetensors
stage 4 infer                                   # -> exp/default/result, result_msvae
stage 5 score                                   # -> exp/default/score.json, score_msvae.json
stage 6 report                                  # -> exp/default/report.html

show "$exp/score.txt"
show "$exp/score_msvae.txt" "NO RESULT, but a proof that training runs: a tiny MS-VAE, trained for seconds
on one conversation of the two talkers that \"synthetic\" has."
where "who, when" "$exp/result"/*.rttm
where "picture" "$exp/picture"/*.png
where "report" "$exp/report.html"
