# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: who spoke when, for every recording; those that a stopped run has finished are kept.
# reads   $data/manifest.jsonl
# writes  $exp/result/RECORDING.rttm  $exp/result/RECORDING.json (with the posterior)
set -euo pipefail
resumable "$exp/result"
manifest=$data/manifest.jsonl options=()
if ((nj > 1)); then # a manifest a job, beside the whole one, for its paths are relative to its folder
  n_recordings=$(grep -c . "$manifest")
  nj=$((nj < n_recordings ? nj : n_recordings))
  for ((job = 1; job <= nj; job++)); do
    grep . "$manifest" | awk "NR % $nj == $job % $nj" > "$data/manifest.$job-of-$nj.jsonl"
  done
  manifest="$data/manifest.{job}-of-{nj}.jsonl"
  options=(--threads $((($(nproc) + nj - 1) / nj)))
fi
"$python" -m diarize.jobs --nj "$nj" --launcher "$launcher" --log "$exp/log/4_infer.{job}.log" -- \
  "$python" -m diarize infer "$manifest" --format rttm,json -o "$exp/result" --conf "$conf" \
  ${options[@]+"${options[@]}"}
