# shellcheck shell=bash
# Stage runner. Sourced by every egs/*/run.sh; runs nothing by itself.
#
#   (nothing)                  finish what is missing or stale
#   --stage N                  do stage N and all after it, done or not
#   --stop-stage N             go no further than stage N
#   --conf FILE                settings of this run: a TOML file
#   --data DIR --exp DIR       where recordings and results live
#   --nj N --launcher NAME     parallel jobs, and what starts them (local)
#   --dry-run                  say what would be done, and do nothing
#   Paths are relative to the folder of run.sh. Stages: 0 fetch, 1 prepare, 2 features, 3 train,
#   4 infer, 5 score, 6 report. DIARIZE_PYTHON names a Python to use in place of .venv's.
set -euo pipefail
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$recipes")
cd "$(dirname "${BASH_SOURCE[1]}")"

die() { # die CODE MESSAGE
  echo "$(basename "$PWD")/run.sh: $2" >&2
  exit "$1"
}

: "${conf:?}" "${family:?}" # each run.sh names them before it sources this file
stage=0 stop_stage=6 named=no dry=no nj=1 launcher=local data='' exp=''
while (($#)); do
  case $1 in
    --help | -h)
      sed -n '2,/^$/s/^# \{0,1\}//p' run.sh
      echo
      sed -n 's/^#   /  /p' "$recipes/stages.sh"
      exit 0 ;;
    --dry-run) dry=yes; shift ;;
    --stage | --stop-stage | --conf | --data | --exp | --nj | --launcher)
      (($# > 1)) || die 2 "$1 takes a value"
      name=${1#--}
      printf -v "${name/-/_}" %s "$2"
      [[ $1 != --stage ]] || named=yes
      shift 2 ;;
    *) die 2 "no option $1 (settings belong in conf/; see --help)" ;;
  esac
done
for name in stage stop_stage; do
  [[ ${!name} =~ ^[0-6]$ ]] || die 2 "--${name/_/-} takes 0 to 6, not '${!name}'"
done
((stage <= stop_stage)) || die 2 "--stage $stage comes after --stop-stage $stop_stage"
[[ $nj =~ ^[1-9][0-9]*$ ]] || die 2 "--nj takes a whole number from 1, not '$nj'"
[[ -r $conf ]] || die 2 "cannot read --conf $conf (paths are relative to $PWD)"
exp=${exp:-exp/$(basename "$conf" .toml)}
data=${data:-data${own_data:+/$(basename "$conf" .toml)}} # with own_data=yes each conf prepares its own

python=${DIARIZE_PYTHON:-$root/.venv/bin/python}
if [[ $dry == yes ]]; then # installs nothing
  [[ -x $python ]] || python=python3
  "$python" -c 'import tomllib' || die 1 "--dry-run needs Python 3.11; bash recipes/setup.sh makes one"
elif [[ -z ${DIARIZE_PYTHON:-} ]]; then
  bash "$recipes/setup.sh"
fi
python=$(command -v "$python") || die 1 "no Python at ${DIARIZE_PYTHON:-python3}"
PATH=$(dirname "$python"):$PATH PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PATH PYTHONPATH python conf data exp nj launcher
if [[ $dry == no ]]; then
  mkdir -p "$data/done" "$exp/done" "$exp/log"
  exec 9> "$exp/lock"
  flock -n 9 || die 1 "another run.sh is at work in $exp; wait for it, or name another --exp"
  trap 'echo; die 130 "interrupted; the same command goes on from here"' INT
  trap 'die 143 "terminated; the same command goes on from here"' TERM
fi

upstream='' # the mark of the stage before: done again, it makes the later ones stale
stage() {   # stage N NAME [ARGS]: run recipes/[$family/]N_NAME.sh, unless it is done as it would be
  local number=$1 name=$2 home=$exp script=$recipes/$family/$1_$2.sh settings state=stale word
  [[ -e $script ]] || script=$recipes/$1_$2.sh # families share what does not differ
  ((number > 2)) || home=$data                 # runs share what stages 0 to 2 make
  mark=$home/done/${number}_$name
  shift 2
  ((number <= stop_stage)) || return 0
  if ((number <= 2)) && [[ $dry == no ]]; then
    exec 8> "$data/lock"
    flock -n 8 || { echo "[$number $name] waiting for another run.sh at work in $data"; flock 8; }
  fi
  settings=$("$python" -m diarize conf "$conf" --until "$name") ||
    die $? "stage $number $name: the settings in $conf cannot be used"
  for word; do # a conf among the arguments counts as what it comes to
    [[ $word != *.toml ]] || settings+=$("$python" -m diarize conf "$word" --until "$name") ||
      die $? "stage $number $name: the settings in $word cannot be used"
  done
  print=$({ printf '%s\n' "$upstream" "$settings" "$@"; cat "$script"; } | sha256sum)
  print=${print%% *}
  [[ $(head -n 1 "$mark" 2>/dev/null) != "$print" ]] || state=current
  if ((number < stage)); then
    [[ $state == current ]] ||
      echo "[$number $name] was not done with these settings; going on, as told"
  elif [[ $named == no && $state == current ]]; then
    echo "[$number $name] done"
  elif [[ $dry == yes ]]; then
    echo "[$number $name] would run recipes${script#"$recipes"}${*:+ $*}"
    upstream="after $print"
    return
  else
    run_stage "$number" "$name" "$script" "$@"
  fi
  upstream=$(cat "$mark" 2>/dev/null || true)
  exec 8>&-
}

run_stage() { # run_stage N NAME SCRIPT [ARGS]: the log as it grows; the mark last, and whole
  local title="$1 $2" log=$exp/log/$1_$2.log began=$SECONDS code=0
  echo "[$title] $(date +%T) log: $log"
  rm -f "$mark"
  shift 2
  {
    printf '#'
    printf ' %q' "conf=$conf" "data=$data" "exp=$exp" "nj=$nj" bash "$@"
    echo
  } > "$log"
  export mark print
  bash "$@" >> "$log" 2>&1 || code=$?
  local took="$((SECONDS - began)) s"
  echo "# exit $code after $took" >> "$log"
  if ((code)); then
    tail -n 16 "$log" | sed 's/^/  /' >&2
    die "$code" "stage $title failed with exit code $code after $took; all of it: $(realpath "$log")"
  fi
  echo "[$title] $took"
  printf '%s\n' "$print" "$(date -Ins) $took $(git -C "$root" describe --always --dirty 2>/dev/null)" \
    > "$mark.new"
  mv "$mark.new" "$mark"
  rm -f "$mark.begun"
}

resumable() { # resumable DIR...: a stage script that keeps what is there, if its own like left it there
  [[ $(cat "$mark.begun" 2>/dev/null) != "$print" ]] || return 0
  rm -rf "$@"
  echo "$print" > "$mark.begun"
}
export -f resumable

show() { # show FILE [WORDS]: print it, if it is there; with words, under them its first paragraph
  [[ $dry == no && -e $1 ]] || return 0
  echo
  if (($# > 1)); then
    echo "$2"
    sed '/^$/q' "$1"
  else
    cat "$1"
    echo
  fi
}

where() { # where LABEL PATH...: say where results are, those that exist
  local label=$1 path
  shift
  for path; do
    [[ $dry == yes || ! -e $path ]] || printf '%-12s %s\n' "$label" "$(realpath "$path")"
  done
}
