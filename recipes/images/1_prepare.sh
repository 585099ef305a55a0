# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 1: of what stage 0 fetched, the images and mixtures of corpus $1 to train and test on.
# reads   $data/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz
# writes  $data/summary.json  $data/{experts,mixing}.safetensors
#         $data/{dev,test}_{digits,K2,K3,K4}.safetensors  $data/test_bernoulli.safetensors
set -euo pipefail
"$python" -m diarize prepare "$1" --data "$data" --conf "$conf"
