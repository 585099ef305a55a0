# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 1: recordings to train on, with the truth about them: of corpus $1, one set for each
# conf/data/NAME.toml that follows. They come about as those of stage 0 do.
# writes  $data/NAME/manifest.jsonl  $data/NAME/ref.rttm  $data/NAME/all.uem  $data/NAME/audio/
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/../0_fetch.sh" "$@"
