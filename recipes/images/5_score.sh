# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 5: the results against the truth; beside them those of each experiment named in $1 $2 ..., as
# far as they are there. Separated images are judged by the classifier in exp/classifier, or by the
# one that ships.
# reads   $data/test_*.safetensors  $exp/result/  $exp/../NAME/result/  $exp/../classifier/train/
# writes  $exp/score.txt (the tables)  $exp/score.md  $exp/score.json
set -euo pipefail
others=$(dirname "$exp") options=()
for name; do
  [[ ! -e $others/$name/result/about.json || $others/$name -ef $exp ]] ||
    options+=(--beside "$name=$others/$name/result")
done
judge=$others/classifier/train/model.safetensors
[[ -e $judge ]] || judge=digit-classifier # the one that ships
"$python" -m diarize images score --data "$data" --result "$exp/result" --conf "$conf" \
  --judge "$judge" -o "$exp/score.json" --markdown "$exp/score.md" \
  ${options[@]+"${options[@]}"} > "$exp/score.txt.new"
mv "$exp/score.txt.new" "$exp/score.txt"
cat "$exp/score.txt"
