# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 6: scores, how the training went, and what was trained on, on one page.
# reads   $exp/score/*.json  $exp/score/*.md  $exp/train/  $data/summary.json  $data/stems/songs.json
# writes  $exp/report.md  $exp/report_PART.html (spectrograms, and sounds to play)
# Of an rqtransformer: its scores alone.
set -euo pipefail
if [[ $("$python" -m diarize conf "$conf" --get model.name) == rqtransformer ]]; then
  cp "$exp/score.txt" "$exp/report.md"
  exit
fi
sources=$("$python" -m diarize conf "$conf" --get data.sources)
"$python" "$(dirname "${BASH_SOURCE[0]}")/report.py" --exp "$exp" --data "$data" \
  --sets "$data/${sources// /_}" -o "$exp/report.md"
for truth in "$data/${sources// /_}"/stems/test*/; do
  part=$(basename "$truth")
  [[ ! -d $exp/result/$part ]] || "$python" -m diarize report --result "$exp/result/$part" \
    --reference "$truth" -o "$exp/report_$part.html"
done
