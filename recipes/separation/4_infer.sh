# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: the stems of every test song, from its mixture alone; songs that a stopped run has finished
# are kept.
# reads   $data/mixtures/test*/ ($data/drums_bass/mixtures/test*/ of drums and bass alone)
#         $exp/train/model.safetensors
# writes  $exp/result/PART/SONG/SOURCE.wav  $exp/result/PART/SONG.rttm (which instrument plays when)
#         of some of the sources alone, $exp/blind/{nmf,random,hpss}/PART/SONG/component_N.wav too
# An rqtransformer separates nothing: it makes music, $exp/result/made/NNN/SOURCE.wav.
set -euo pipefail
resumable "$exp/result" "$exp/blind"
if [[ $("$python" -m diarize conf "$conf" --get model.name) == rqtransformer ]]; then
  "$python" -m diarize generate --model rqtransformer --n 8 -o "$exp/result/made" \
    --weights "$exp/train/model.safetensors"
  exit
fi
sources=$("$python" -m diarize conf "$conf" --get data.sources)
for mixtures in "$data/${sources// /_}"/mixtures/test*/; do
  [[ -d $mixtures ]] || continue
  "$python" -m diarize separate "$mixtures" -o "$exp/result/$(basename "$mixtures")" \
    --rttm --conf "$conf" --model "$exp/train/model.safetensors"
  read -ra named <<< "$sources"
  ways=(nmf random)
  ((${#named[@]} != 2)) || ways+=(hpss) # which knows two: what lasts, what strikes
  for way in ${sources:+"${ways[@]}"}; do
    "$python" -m diarize separate "$mixtures" -o "$exp/blind/$way/$(basename "$mixtures")" \
      --no-names --model "$way" --components "${#named[@]}" --seed 1
  done
done
