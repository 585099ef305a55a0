# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: every system of [infer] on every recording, in turn, timed. One job whatever --nj says.
# reads   $data/manifest.jsonl  env/*/bin/python (PEERS_ENV names another folder)
# writes  $exp/SYSTEM/result/RECORDING.rttm  $exp/SYSTEM/timing.json  $exp/machine.json
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$python" "$here/compare.py" "$data/manifest.jsonl" --conf "$conf" --exp "$exp" \
  --environments "${PEERS_ENV:-env}"
