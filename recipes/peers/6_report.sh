# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 6: one table of all systems, to be pasted into RESULTS.md.
# reads   $exp/SYSTEM/score.json  $exp/SYSTEM/timing.json  $exp/machine.json
# writes  $exp/table.md
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$python" "$here/report.py" "$exp" -o "$exp/table.md"
