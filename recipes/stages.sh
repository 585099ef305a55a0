# shellcheck shell=bash
# Stage runner. Sourced by every egs/*/run.sh; runs nothing by itself.
#
#   (nothing)                  finish what is missing or stale
#   --stage N                  do stage N and all after it, done or not
#   --stop-stage N             go no further than stage N
#   --conf FILE                settings of this run: a TOML file
#   --data DIR --exp DIR       where recordings and results live
#   --nj N                     parallel jobs
#   --launcher NAME            what starts them: local, dask, slurm, sge, pbs, lsf
#   --address URL              of the scheduler of --launcher dask, such as tcp://host:8786
#   --launchers FILE           what is asked of slurm, sge, pbs, lsf, in place of recipes/launchers.toml
#   --dry-run                  say what would be done and why, and do nothing
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
address=${DIARIZE_ADDRESS:-} launchers=${DIARIZE_LAUNCHERS:-$recipes/launchers.toml}
while (($#)); do
  case $1 in
    --help | -h)
      sed -n '2,/^$/s/^# \{0,1\}//p' run.sh
      echo
      sed -n 's/^#   /  /p' "$recipes/stages.sh"
      exit 0 ;;
    --dry-run) dry=yes; shift ;;
    --stage | --stop-stage | --conf | --data | --exp | --nj | --launcher | --address | --launchers)
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
last=$(sed -n 's/^ *stage \([0-6]\) .*/\1/p' run.sh | sort | tail -n 1)
((stage <= ${last:-6})) || die 2 "--stage $stage: the last stage of this recipe is $last"
((stage <= stop_stage)) || die 2 "--stage $stage comes after --stop-stage $stop_stage"
[[ $nj =~ ^[1-9][0-9]*$ ]] || die 2 "--nj takes a whole number from 1, not '$nj'"
[[ " local dask slurm sge pbs lsf " == *" $launcher "* ]] ||
  die 2 "--launcher takes local, dask, slurm, sge, pbs or lsf, not '$launcher'"
[[ $launcher != dask || -n $address ]] || die 2 "--launcher dask needs --address tcp://host:8786"
[[ " local dask " == *" $launcher "* || -r $launchers ]] || die 2 "cannot read --launchers $launchers"
[[ -r $conf ]] || die 2 "cannot read --conf $conf (paths are relative to $PWD)"
exp=${exp:-exp/$(basename "$conf" .toml)}
data=${data:-data${own_data:+/$(basename "$conf" .toml)}} # with own_data=yes each conf prepares its own

python=${DIARIZE_PYTHON:-$root/.venv/bin/python}
if [[ $dry == yes ]]; then # installs nothing
  [[ -x $python ]] || python=python3
  "$python" -c 'import tomllib' || die 1 "--dry-run needs Python 3.11; bash recipes/setup.sh makes one"
elif [[ -z ${DIARIZE_PYTHON:-} ]]; then
  cluster=()
  [[ $launcher == local ]] || cluster=(--cluster)
  bash "$recipes/setup.sh" ${cluster[@]+"${cluster[@]}"}
fi
python=$(command -v "$python") || die 1 "no Python at ${DIARIZE_PYTHON:-python3}"
PATH=$(dirname "$python"):$PATH PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PATH PYTHONPATH python conf data exp nj launcher
export DIARIZE_ADDRESS=$address DIARIZE_LAUNCHERS=$launchers # for diarize.jobs

lock_exp() { # one run.sh in $exp at a time; a lock ends with whoever held it, however that comes
  local holder process
  exec 9>> "$exp/lock"
  if flock -n 9; then
    : > "$exp/lock"
    echo "process $$ on $(hostname) since $(date '+%F %T')" >&9 || true # on a full disk it holds too
    return
  fi
  holder=$(head -n 1 "$exp/lock" 2>/dev/null || true)
  read -r _ process _ <<< "$holder" || true
  if [[ $holder == *" on $(hostname) "* ]] && ! kill -0 "$process" 2>/dev/null; then
    die 1 "what a run.sh that was killed ($holder) has started is still at work in $exp; wait for it"
  fi
  die 1 "another run.sh is at work in $exp${holder:+ ($holder)}; wait for it, or name another --exp"
}

if [[ $dry == no ]]; then
  mkdir -p "$data/done" "$exp/done" "$exp/log" ||
    die 1 "cannot make folders in $data and $exp; name others, with --data and --exp"
  lock_exp
  trap 'echo; die 130 "interrupted; the same command goes on from here"' INT
  trap 'die 143 "terminated; the same command goes on from here"' TERM
fi

ran=no cut=no # whether a stage was run, and whether --stop-stage left one out
upstream='' # the mark of the stage before: done again, it makes the later ones stale
stage() {   # stage N NAME [ARGS]: run recipes/[$family/]N_NAME.sh, unless it is done as it would be
  local number=$1 name=$2 home=$exp script=$recipes/$family/$1_$2.sh settings state word
  [[ -e $script ]] || script=$recipes/$1_$2.sh # families share what does not differ
  ((number > 2)) || home=$data                 # runs share what stages 0 to 2 make
  mark=$home/done/${number}_$name
  shift 2
  if ((number > stop_stage)); then
    cut=yes
    return
  fi
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
  made_of=$(made_of "$settings" "$script" "$@")
  state=$(state)
  if ((number < stage)); then
    [[ $state == "done" ]] || echo "[$number $name] is $state; going on, as told"
  elif [[ $named == no && $state == "done" ]]; then
    echo "[$number $name] done"
  elif [[ $dry == yes ]]; then
    echo "[$number $name] $state: would run recipes${script#"$recipes"}${*:+ $*}"
    upstream="after $print"
    return
  else
    run_stage "$number" "$name" "$script" "$@"
  fi
  upstream=$(cat "$mark" 2>/dev/null || true)
  exec 8>&-
}

made_of() { # made_of SETTINGS SCRIPT [ARGS]: a line for each thing that a stage hangs on
  local settings=$1 script=$2
  shift 2
  printf 'made of the stages before: %s\n' "$(sha256sum <<< "$upstream")"
  printf 'made of its settings: %s\n' "$(sha256sum <<< "$settings")"
  printf 'made of its arguments: %s\n' "$(printf '%s\n' "$@" | sha256sum)"
  printf 'made of its script: %s\n' "$(sha256sum < "$script")"
}

state() { # of the stage at hand: done, missing, stopped in the middle, or stale, and by what
  local line what changed=''
  if [[ $(head -n 1 "$mark" 2>/dev/null) == "$print" ]]; then
    echo "done"
  elif [[ ! -e $mark ]]; then
    if [[ $(cat "$mark.begun" 2>/dev/null) == "$print" ]]; then
      echo "stopped in the middle"
    else
      echo missing
    fi
  else
    while read -r line; do
      what=${line#made of }
      grep -qxF "$line" "$mark" || changed+="${changed:+, }${what%%:*}"
    done <<< "$made_of"
    grep -q '^made of ' "$mark" || changed='' # a mark of old does not say
    echo "stale${changed:+ ($changed changed)}"
  fi
}

run_stage() { # run_stage N NAME SCRIPT [ARGS]: the log as it grows; the mark last, and whole
  local title="$1 $2" log=$exp/log/$1_$2.log began=$SECONDS code=0
  ran=yes
  [[ $state != stale* ]] || echo "[$title] $state"
  echo "[$title] $(date +%T) log: $log"
  rm -f "$mark"
  shift 2
  {
    printf '#'
    printf ' %q' "conf=$conf" "data=$data" "exp=$exp" "nj=$nj" bash "$@"
    echo
  } > "$log" || die 1 "stage $title: cannot write $log$(full)"
  export mark print
  bash "$@" >> "$log" 2>&1 || code=$?
  local took="$((SECONDS - began)) s"
  echo "# exit $code after $took" >> "$log" || true # on a full disk the exit code still counts
  if ((code)); then
    tail -n 16 "$log" | sed 's/^/  /' >&2
    die "$code" "stage $title failed with exit code $code after $took$(full); all of it: $(realpath "$log")"
  fi
  echo "[$title] $took"
  printf '%s\n' "$print" "$(date -Ins) $took $(git -C "$root" describe --always --dirty 2>/dev/null)" \
    "$made_of" > "$mark.new" || die 1 "stage $title is done, but $mark cannot be written$(full)"
  mv "$mark.new" "$mark"
  rm -f "$mark.begun"
}

full() { # say so if there is next to no room for what a run writes
  local folder
  for folder in "$exp" "$data"; do
    if (($(df -Pk "$folder" 2>/dev/null | awk 'END { print $4 + 0 }') < 64)); then
      echo "; the disk of $folder is full: make room, and the same command goes on from here"
      return
    fi
  done
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
  if [[ $ran == yes && $cut == yes && $1 -ot $exp/lock ]]; then # the lock was taken as this run began
    echo "$(basename "$1") is of an earlier run; the stages after $stop_stage make it anew"
    return
  fi
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
