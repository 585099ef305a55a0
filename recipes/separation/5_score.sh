# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 5: the stems of stage 4 against the true ones, with a floor and a ceiling; beside them those of
# each experiment named in $1 $2 ..., as far as they are there.
# reads   $data/stems/test*/  $data/activity/test*/ (in $data/drums_bass of drums and bass alone)
#         $exp/result/  $exp/../NAME/result/
# writes  $exp/score/PART.txt  $exp/score/PART.md  $exp/score/PART.json
#         $exp/score/PART.activity.txt  $exp/score/PART.activity.json (which instrument plays when)
#         $exp/score.txt (all parts)
# Of some of the sources alone, components may have no names, blind ways are beside them, and the true
# stems are those of files, then those that our codec gives back ($exp/score/PART.codec.txt, .json).
# Of an rqtransformer: what codes of the test songs cost, and how far its music is from theirs.
set -euo pipefail
others=$(dirname "$exp")
mkdir -p "$exp/score"
: > "$exp/score.txt.new"
sources=$("$python" -m diarize conf "$conf" --get data.sources)
model=$("$python" -m diarize conf "$conf" --get model.name)
sets=$data/${sources// /_}
for truth in "$sets"/stems/test*/; do
  [[ -d $truth ]] || continue
  part=$(basename "$truth")
  if [[ $model == rqtransformer ]]; then
    "$python" -m diarize codes score "$truth" --train "$sets/stems/train" --n 24 \
      --develop "$sets/stems/validation" --weights "$exp/train/model.safetensors" \
      --json "$exp/score/$part.json" > "$exp/score/$part.txt"
    { echo "$part"; cat "$exp/score/$part.txt"; echo; } >> "$exp/score.txt.new"
    continue
  fi
  options=()
  [[ -z $sources ]] || options+=(--permute --windows composable --codec rvq)
  for place in "$exp"/blind/*/"$part"; do
    [[ ! -d $place ]] || options+=(--beside "$(basename "$(dirname "$place")")=$place")
  done
  for name; do
    [[ -z $sources ]] || break # those are of other mixtures
    [[ ! -d $others/$name/result/$part || $others/$name -ef $exp ]] ||
      options+=(--beside "$name=$others/$name/result/$part")
  done
  "$python" -m diarize score "$truth" "$exp/result/$part" --name "$(basename "$exp")" \
    --json "$exp/score/$part.json" --markdown "$exp/score/$part.md" ${options[@]+"${options[@]}"} \
    > "$exp/score/$part.txt"
  "$python" -m diarize score "$sets/activity/$part" "$exp/result/$part" --convention full \
    --json "$exp/score/$part.activity.json" > "$exp/score/$part.activity.txt"
  { echo "$part"; cat "$exp/score/$part.txt"; echo; } >> "$exp/score.txt.new"
  [[ -n $sources ]] || continue
  "$python" -m diarize score "$truth" "$exp/result/$part" --name "$(basename "$exp")" \
    --json "$exp/score/$part.codec.json" "${options[@]}" --reference codec \
    > "$exp/score/$part.codec.txt"
  { echo "$part, by the codec"; cat "$exp/score/$part.codec.txt"; echo; } >> "$exp/score.txt.new"
done
mv "$exp/score.txt.new" "$exp/score.txt"
cat "$exp/score.txt"
