# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 0: what music is rendered from, as the conf $1 says: MIDI files of the folders MIDI (words), or
# of ../shared/data/midi beside the checkout and Debian's openttd-openmsx; soundfonts of the folders
# SOUNDFONTS (words), or Debian's, or packed of what packages hold. With SONGS, a copy of the corpus
# itself, there is nothing to fetch.
# writes  $data/midi/*.mid  $data/soundfonts/ (links, and what was packed)
set -euo pipefail
[[ -z ${SONGS:-} ]] || exit 0
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
read -ra midi <<< "${MIDI:-}"
read -ra soundfonts <<< "${SOUNDFONTS:-}"
if ((${#midi[@]} == 0)); then
  for place in "$root"/../shared/data/midi/* /usr/share/games/openttd/baseset/openmsx; do
    [[ ! -d $place ]] || midi+=("$place")
  done
fi
options=()
((${#midi[@]} == 0)) || options+=(--midi "${midi[@]}")
((${#soundfonts[@]} == 0)) || options+=(--soundfonts "${soundfonts[@]}")
"$python" -m diarize fetch rendered --data "$data" --conf "$1" ${options[@]+"${options[@]}"} || {
  code=$?
  cat <<'EOF'
Music is made here of MIDI files by a synthesizer with soundfonts, which come with the packages that the
line above names: Debian's are found where they install, npm's in the folders SOUNDFONTS.
In place of fluidsynth:   .venv/bin/python -m pip install --no-deps tinysoundfont
MIDI files or soundfonts of your own, paths from the folder of run.sh or full ones:
  MIDI="DIR DIR" SOUNDFONTS=DIR bash egs/slakh/run.sh    (the conf names the soundfonts of each part)
A real Slakh2100 in place of all that:
  SONGS=/where/slakh2100_flac_redux bash egs/slakh/run.sh --data data/slakh --exp exp/slakh
EOF
  exit "$code"
}
