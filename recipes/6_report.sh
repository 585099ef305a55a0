# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 6: results, truth and scores as pictures.
# reads   $data/manifest.jsonl  $data/ref.rttm  $exp/result/  $exp/score.json
# writes  $exp/report.html (one file to open in a browser)  $exp/picture/RECORDING.png
set -euo pipefail
"$python" -m diarize report --manifest "$data/manifest.jsonl" --result "$exp/result" \
  --reference "$data/ref.rttm" --score "$exp/score.json" --pictures "$exp/picture" -o "$exp/report.html"
