# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 6: mixtures and what was separated, maps of latents, learning curves and scores as pictures; of
# a model of many betas ladders, edits and samples.
# reads   $data/test*.safetensors  $exp/result/  $exp/train/  $exp/score.json
# writes  $exp/report.html (one file to open in a browser)
set -euo pipefail
corpus=$("$python" -m diarize conf "$conf" --until report | sed -n 's/^ *"corpus": "\([a-z_]*\)".*/\1/p')
case $corpus in
  sprites | mnist_images | celeba) verb=factors learned=(--journal "$exp/train/journal.jsonl") ;;
  *) verb=images learned=(--model "$exp/train/model.safetensors") ;;
esac
"$python" -m diarize "$verb" report --data "$data" --result "$exp/result" --conf "$conf" \
  "${learned[@]}" --score "$exp/score.json" -o "$exp/report.html"
