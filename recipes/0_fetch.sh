# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 0: the recordings of corpus $1, with the truth about them; or several sets of them, one for
# each conf/data/NAME.toml that follows, with --nj as many at once. What follows -- goes to each fetch.
# reads   for simulated: the folders of speech, noises and rooms that the confs name
# writes  $data/manifest.jsonl  $data/ref.rttm  $data/all.uem  and the audio
#         or the same in each $data/NAME; sets that are there as their conf says are kept
set -euo pipefail
corpus=$1 number=1 of=1 confs=()
shift
[[ ${1:-} != --part=* ]] || { IFS=/ read -r number of <<< "${1#--part=}"; shift; } # of several jobs
while (($#)) && [[ $1 != -- ]]; do
  confs+=("$1")
  shift
done
shift $(($# > 0))
if ((${#confs[@]} == 0)); then
  "$python" -m diarize fetch "$corpus" --data "$data" --conf "$conf" "$@"
  exit
fi

explain() { # what simulated conversations need, after the line that says what is wrong
  [[ $corpus != simulated ]] || cat <<'EOF'
Conversations are made of what you have of single speakers. Needed are three folders:
  speech   sound files, and speakers.tsv: a header and a line a file with tabs between
           path (in that folder), speaker, set (any word), seconds; 30 speakers or more
  noises   sound files of noises, any number, and
  rooms    of measured room responses, any number
Name them in conf/data/sources.toml, or in the call, paths from the folder of run.sh or full ones:
  SPEECH=DIR NOISES=DIR ROOMS=DIR bash egs/simulated/run.sh
EOF
}

jobs=$((nj < ${#confs[@]} ? nj : ${#confs[@]}))
if ((of == 1 && jobs > 1)); then
  "$python" -m diarize.jobs --nj "$jobs" --launcher "$launcher" \
    --log "$exp/log/$(basename "$mark").{job}.log" -- \
    bash "${BASH_SOURCE[0]}" "$corpus" "--part={job}/{nj}" "${confs[@]}" -- "$@" || { explain; exit 1; }
  exit
fi
for ((at = number - 1; at < ${#confs[@]}; at += of)); do
  set=${confs[at]}
  "$python" -m diarize fetch "$corpus" --data "$data/$(basename "$set" .toml)" --conf "$set" "$@" ||
    { code=$?; ((of > 1)) || explain; exit "$code"; }
done
