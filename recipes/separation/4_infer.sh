# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: the stems of every test song, from its mixture alone; songs that a stopped run has finished
# are kept.
# reads   $data/mixtures/test*/ ($data/drums_bass/mixtures/test*/ of drums and bass alone)
#         $exp/train/model.safetensors
# writes  $exp/result/PART/SONG/SOURCE.wav  $exp/result/PART/SONG.rttm (which instrument plays when)
# An rqtransformer separates nothing: it makes music, $exp/result/made/NNN/SOURCE.wav.
set -euo pipefail
resumable "$exp/result"
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
done
