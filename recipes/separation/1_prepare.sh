# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 1: music rendered in stems as the conf $1 says, --nj tracks at once; those that are there as they
# would be made are kept. With SONGS, a copy of the corpus itself, there is nothing to render.
# reads   $data/midi/  $data/soundfonts/
# writes  $data/{train,validation,test,...}/TrackNNNNN/{metadata.yaml,mix.flac,stems/}  $data/summary.json
set -euo pipefail
[[ -z ${SONGS:-} ]] || exit 0
"$python" -m diarize.jobs --nj "$nj" --launcher "$launcher" --log "$exp/log/1_prepare.{job}.log" -- \
  "$python" -m diarize prepare rendered --data "$data" --conf "$1" --part "{job}/{nj}"
