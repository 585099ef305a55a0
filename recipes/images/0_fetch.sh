# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 0: the images of corpus $1, as whoever made them gave them out; for a conf whose own corpus is
# not made of them, nothing.
# writes  $data/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz
set -euo pipefail
corpus=$("$python" -m diarize conf "$conf" --until fetch | sed -n 's/^ *"corpus": "\([a-z_]*\)".*/\1/p')
case $corpus in
  sprites) echo "nothing to fetch: stage 1 draws them" ;;
  mnist_images) "$python" -m diarize fetch "$1" --data "$data" ;;
  tcga | cub | celeba) echo "nothing to fetch: stage 1 finds $corpus where its settings say" ;;
  *) "$python" -m diarize fetch "$1" --data "$data" --conf "$conf" ;;
esac
