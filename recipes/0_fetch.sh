# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 0: the recordings of corpus $1, with the truth about them.
# writes  $data/manifest.jsonl  $data/ref.rttm  $data/all.uem  and the audio
set -euo pipefail
"$python" -m diarize fetch "$1" --data "$data" --conf "$conf"
