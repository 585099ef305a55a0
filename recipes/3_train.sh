# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 3: the model of the conf $1 (or that of the run), trained; one that was stopped goes on from
# its last checkpoint. DIARIZE_RANKS is how many processes share each batch (1); the numbers are those
# of one but for rounding, so that it may be another when the training goes on.
# reads   $data, as stages 1 and 2 left it
# writes  $exp/train/model.safetensors  $exp/train/model.json  $exp/train/journal.jsonl
set -euo pipefail
resumable "$exp/train"
"$python" -m diarize train --conf "${1:-$conf}" --data "$data" --exp "$exp/train" \
  --ranks "${DIARIZE_RANKS:-1}"
