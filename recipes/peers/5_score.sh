# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 5: every system against the truth, with our scorer.
# reads   $data/ref.rttm  $data/all.uem  $exp/SYSTEM/result/
# writes  $exp/SYSTEM/score.txt (the table)  $exp/SYSTEM/score.json
set -euo pipefail
for timing in "$exp"/*/timing.json; do
  home=$(dirname "$timing")
  "$python" -m diarize score "$data/ref.rttm" "$home/result" --uem "$data/all.uem" \
    --json "$home/score.json" > "$home/score.txt.new"
  mv "$home/score.txt.new" "$home/score.txt"
done
