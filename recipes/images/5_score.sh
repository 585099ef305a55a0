# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 5: the results against the truth; beside them those of each experiment named in $1 $2 ..., as
# far as they are there. Separated images are judged by the classifier in exp/classifier, or by the
# one that ships. Beside a model of many betas stand all others on the same images.
# reads   $data/test*.safetensors  $exp/result/  $exp/../NAME/result/  $exp/../classifier/train/
# writes  $exp/score.txt (the tables)  $exp/score.md  $exp/score.json
set -euo pipefail
corpus=$("$python" -m diarize conf "$conf" --until score | sed -n 's/^ *"corpus": "\([a-z_]*\)".*/\1/p')
others=$(dirname "$exp") options=()
judge=$others/classifier/train/model.safetensors
[[ -e $judge ]] || judge=digit-classifier # the one that ships
case $corpus in
  sprites | mnist_images | celeba)
    verb=factors
    for other in "$others"/*/result/factors.safetensors; do
      other=$(dirname "$(dirname "$other")")
      name=$(basename "$other")
      [[ -e $other/result/factors.safetensors && ! $other -ef $exp ]] || continue
      cmp -s "$data/test.safetensors" "$(dirname "$data")/$name/test.safetensors" || continue
      options+=(--beside "$name=$other/result")
    done
    [[ $corpus != mnist_images ]] || options+=(--judge "$judge") ;;
  *)
    verb=images options=(--judge "$judge")
    for name; do
      [[ ! -e $others/$name/result/about.json || $others/$name -ef $exp ]] ||
        options+=(--beside "$name=$others/$name/result")
    done ;;
esac
"$python" -m diarize "$verb" score --data "$data" --result "$exp/result" --conf "$conf" \
  -o "$exp/score.json" --markdown "$exp/score.md" \
  ${options[@]+"${options[@]}"} > "$exp/score.txt.new"
mv "$exp/score.txt.new" "$exp/score.txt"
cat "$exp/score.txt"
