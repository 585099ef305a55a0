# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 5: the results against the truth, by the authors' protocol and the clean one; beside them those
# of each experiment named in $1 $2 ... as far as they are there, and of clustering.
# reads   $data/ref.rttm  $data/all.uem  $exp/result/  $exp/../NAME/result/  $data/clustering/
# writes  $exp/score.txt (the tables)  $exp/score.md  $exp/score.json
set -euo pipefail
others=$(dirname "$exp") results=("$exp/result")
for name; do
  [[ ! -e $others/$name/result/about.json || $others/$name -ef $exp ]] ||
    results+=("$others/$name/result")
done
"$python" -m diarize speakers score --data "$data" "${results[@]}" "$data/clustering" \
  -o "$exp/score.json" --markdown "$exp/score.md" > "$exp/score.txt.new"
mv "$exp/score.txt.new" "$exp/score.txt"
cat "$exp/score.txt"
