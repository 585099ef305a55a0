# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 6: results, truth and scores as pictures; of sets $1 $2 ... (see sets.sh) a page each, what the
# attributor of stage 3 made of them if there is one.
# reads   $data/manifest.jsonl  $data/ref.rttm  $exp/result/  $exp/score.json, or those of the sets
# writes  $exp/report.html (one file to open in a browser)  $exp/picture/RECORDING.png
#         or $exp/report/SET.html, without the sound
set -euo pipefail
# shellcheck source=recipes/diarization/sets.sh
. "$(dirname "${BASH_SOURCE[0]}")/sets.sh"

report() { # report PLACE RECORDINGS TRUTH
  local kind='' options=()
  if [[ -z $1 ]]; then
    options=(--pictures "$exp/picture" --manifest "$2") # with the sound, 2 MB a minute of it
  elif trained; then
    kind=_msvae
  fi
  mkdir -p "$(dirname "$exp/report$1")"
  "$python" -m diarize report --result "$exp/result$kind$1" --reference "$3" \
    --score "$exp/score$kind$1.json" ${options[@]+"${options[@]}"} -o "$exp/report$1.html"
}

each_set report "$@"
