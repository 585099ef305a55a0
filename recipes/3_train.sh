# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 3: the model of the conf, trained; one that was stopped goes on from its last checkpoint.
# reads   $data, as stage 1 left it
# writes  $exp/train/model.safetensors  $exp/train/model.json  $exp/train/journal.jsonl
set -euo pipefail
resumable "$exp/train"
"$python" -m diarize train --conf "$conf" --data "$data" --exp "$exp/train"
