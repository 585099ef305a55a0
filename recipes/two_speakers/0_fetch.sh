# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 0: conversations of two known speakers, a speaker a channel: to train on, to choose settings on,
# and to test. $CHANNELS, files between colons, are recordings to take them from in place of [data] speech.
# writes  $data/manifest.jsonl  $data/ref.rttm  $data/all.uem  $data/audio/ (the test)
#         $data/train/ and $data/dev/, the same
set -euo pipefail
options=()
if [[ -n ${CHANNELS:-} ]]; then
  IFS=: read -ra files <<< "$CHANNELS"
  options=(--channels "${files[@]}")
fi
"$python" -m diarize fetch two_speakers --data "$data" --conf "$conf" ${options[@]+"${options[@]}"}
