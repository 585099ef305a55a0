# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 1: the recordings as 16 kHz mono 16-bit wav, the truth about them, and what is scored.
# reads   the first of [data] recordings that is there
# writes  $data/wav/RECORDING.wav  $data/manifest.jsonl  $data/ref.rttm  $data/all.uem
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$python" "$here/prepare.py" --conf "$conf" --data "$data"
