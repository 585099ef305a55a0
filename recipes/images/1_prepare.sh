# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 1: of what stage 0 fetched, the images to train and test on of the corpus that the conf names, or
# else of corpus $1.
# reads   $data/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz
# writes  $data/summary.json
#         of digits: $data/{experts,mixing}.safetensors  $data/{dev,test}_{digits,K2,K3,K4}.safetensors
#         $data/test_bernoulli.safetensors
#         of polymnist: $data/grounds.safetensors  $data/tuples_{train,dev,test}.safetensors
#         of sprites, mnist_images and celeba: $data/{train,dev,test}.safetensors
set -euo pipefail
corpus=$("$python" -m diarize conf "$conf" --until prepare | sed -n 's/^ *"corpus": "\([a-z_]*\)".*/\1/p')
"$python" -m diarize prepare "${corpus:-$1}" --data "$data" --conf "$conf"
