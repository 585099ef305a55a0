# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: of digits, what the mixtures of all test sets are made of; sets that a stopped run has finished
# are kept. Of plain images, what a model of many betas makes of the test images.
# reads   $data/test*.safetensors  $exp/train/model.safetensors
# writes  $exp/result/SET.{given,unknown}.safetensors (the number of sources told, or not)
#         $exp/result/about.json; of plain images $exp/result/factors.safetensors
set -euo pipefail
corpus=$("$python" -m diarize conf "$conf" --until infer | sed -n 's/^ *"corpus": "\([a-z_]*\)".*/\1/p')
resumable "$exp/result"
case $corpus in
  sprites | mnist_images | celeba) verb=factors ;;
  *) verb=images ;;
esac
"$python" -m diarize "$verb" infer --model "$exp/train/model.safetensors" --data "$data" \
  --conf "$conf" --name "$(basename "$exp")" -o "$exp/result"
