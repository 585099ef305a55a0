# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 1: of corpus $1, if it is one of real recordings, what stage 0 fetched, checked against its
# references and listed, and each part that follows in a folder of its own; what follows -- goes to
# each call. If it is mini or simulated, recordings to train on, with the truth about them: one set
# for each conf/data/NAME.toml that follows, which come about as those of stage 0 do.
# reads   $data/corpus  $data/references, or the places named after --
# writes  $data/manifest.jsonl  $data/ref.rttm  $data/all.uem, and the same in $data/PART
#         or in $data/NAME, with the audio
set -euo pipefail
corpus=$1 parts=()
if [[ $corpus == mini || $corpus == simulated ]]; then
  exec bash "$(dirname "${BASH_SOURCE[0]}")/../0_fetch.sh" "$@"
fi
shift
while (($#)) && [[ $1 != -- ]]; do
  parts+=("$1")
  shift
done
shift $(($# > 0))
"$python" -m diarize prepare "$corpus" --data "$data" --conf "$conf" "$@"
for part in ${parts[@]+"${parts[@]}"}; do
  "$python" -m diarize prepare "$corpus" --data "$data" --conf "$conf" --only "$part" "$@"
done
