# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: who spoke when, for every recording; those that a stopped run has finished are kept.
# reads   $data/manifest.jsonl
# writes  $exp/result/RECORDING.rttm  $exp/result/RECORDING.json (with the posterior)
set -euo pipefail
resumable "$exp/result"
"$python" -m diarize.jobs --nj "$nj" --launcher "$launcher" --log "$exp/log/4_infer.{job}.log" -- \
  "$python" -m diarize infer "$data/manifest.jsonl" --shard "{job}/{nj}" \
  --format rttm,json -o "$exp/result" --conf "$conf"
