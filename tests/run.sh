#!/usr/bin/env bash
# Lint, types and tests, in .venv. Arguments go to pytest:
#
#   bash tests/run.sh
#   bash tests/run.sh tests/scoring -k collar
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash recipes/setup.sh --test
export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD"

step() { # step NAME COMMAND...: one line when it passes; all it says when it does not
  local name=$1 began=$SECONDS output
  shift
  if output=$("$@" 2>&1); then
    echo "$name: ok ($((SECONDS - began)) s)"
  else
    printf '%s\n%s\n' "$output" "$name: FAILED; the command was: $*" >&2
    exit 1
  fi
}

mapfile -t scripts < <(find recipes egs tests -name '*.sh' -not -path '*/.venv/*' -not -path '*/env/*' -not -path '*/exp/*' | sort)
step "ruff check" python -m ruff check .
step "ruff format" python -m ruff format --check .
step "mypy" python -m mypy
step "shellcheck" shellcheck --external-sources "${scripts[@]}" .ci/run
echo "pytest:"
exec python -m pytest "$@"
