# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: which of the two talks when in the test conversations, told the true silence (authors/) and told
# nothing (clean/); beside it, once for all confs, what clustering into two voices finds.
# reads   $data/manifest.jsonl  $data/ref.rttm  $exp/train/model.safetensors
# writes  $exp/result/{authors,clean}/RECORDING.{rttm,json}  $exp/result/about.json
#         $data/clustering, the same
set -euo pipefail
"$python" -m diarize speakers infer --model "$exp/train/model.safetensors" --data "$data" \
  --conf "$conf" --name "$(basename "$exp")" -o "$exp/result"
"$python" -m diarize speakers infer --data "$data" --name clustering -o "$data/clustering"
