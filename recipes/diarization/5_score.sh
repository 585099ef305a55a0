# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 5: the results of stage 4 against the truth, of $data or of each set $1 $2 ... (see sets.sh),
# with --nj as many sets at once.
# reads   $data/ref.rttm  $data/all.uem  $exp/result/  $exp/result_msvae/, or those of the sets
# writes  $exp/score.txt (the table)  $exp/score.json  $exp/score_msvae.txt  $exp/score_msvae.json
#         or $exp/score/SET.txt and so on, and of all of them $exp/score.txt and $exp/score.md
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=recipes/diarization/sets.sh
. "$here/sets.sh"

score() { # score TRUTH UEM RESULT SCORE
  mkdir -p "$(dirname "$4")"
  "$python" -m diarize score "$1" "$3" --uem "$2" --json "$4.json" > "$4.txt.new"
  mv "$4.txt.new" "$4.txt"
}

score_set() { # score_set PLACE RECORDINGS TRUTH UEM
  score "$3" "$4" "$exp/result$1" "$exp/score$1"
  if trained; then
    score "$3" "$4" "$exp/result_msvae$1" "$exp/score_msvae$1"
  fi
}

number=1 of=1
[[ ${1:-} != --part=* ]] || { IFS=/ read -r number of <<< "${1#--part=}"; shift; } # of several jobs
jobs=$((nj < $# ? nj : $#))
if ((of > 1)); then
  for ((at = number; at <= $#; at += of)); do
    each_set score_set "${!at}"
  done
  exit
elif ((jobs > 1)); then
  "$python" -m diarize.jobs --nj "$jobs" --launcher "$launcher" --log "$exp/log/5_score.{job}.log" -- \
    bash "${BASH_SOURCE[0]}" "--part={job}/{nj}" "$@"
else
  each_set score_set "$@"
fi
if (($#)); then
  "$python" "$here/set_table.py" "$exp" --markdown "$exp/score.md" > "$exp/score.txt.new"
  mv "$exp/score.txt.new" "$exp/score.txt"
fi
cat "$exp/score.txt"
