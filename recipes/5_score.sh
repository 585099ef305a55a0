# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 5: the results against the truth.
# reads   $data/ref.rttm  $data/all.uem  $exp/result/
# writes  $exp/score.txt (the table)  $exp/score.json
set -euo pipefail
"$python" -m diarize score "$data/ref.rttm" "$exp/result" --uem "$data/all.uem" \
  --json "$exp/score.json" > "$exp/score.txt.new"
mv "$exp/score.txt.new" "$exp/score.txt"
cat "$exp/score.txt"
