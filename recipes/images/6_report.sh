# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 6: mixtures and what was separated, maps of latents, learning curves and scores as pictures.
# reads   $data/test_*.safetensors  $exp/result/  $exp/train/  $exp/score.json
# writes  $exp/report.html (one file to open in a browser)
set -euo pipefail
"$python" -m diarize images report --data "$data" --result "$exp/result" --conf "$conf" \
  --model "$exp/train/model.safetensors" --score "$exp/score.json" -o "$exp/report.html"
