# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: what the mixtures of all test sets are made of; sets that a stopped run has finished are kept.
# reads   $data/test_*.safetensors  $exp/train/model.safetensors
# writes  $exp/result/SET.{given,unknown}.safetensors (the number of sources told, or not)
#         $exp/result/about.json
set -euo pipefail
resumable "$exp/result"
"$python" -m diarize images infer --model "$exp/train/model.safetensors" --data "$data" \
  --conf "$conf" --name "$(basename "$exp")" -o "$exp/result"
