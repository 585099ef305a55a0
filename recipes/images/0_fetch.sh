# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 0: the images of corpus $1, as whoever made them gave them out.
# writes  $data/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz
set -euo pipefail
"$python" -m diarize fetch "$1" --data "$data" --conf "$conf"
