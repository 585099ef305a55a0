# shellcheck shell=bash disable=SC2154  # stages.sh exports data, exp
# What stages 4 to 6 go through; sourced by them.

each_set() { # each_set COMMAND [SET...]: COMMAND PLACE RECORDINGS TRUTH UEM, for $data or for each set
  # A set is conf/data/NAME.toml, which stage 0 made $data/NAME of, or any folder of recordings with
  # an .rttm and a .uem. PLACE, empty or /NAME, is where in a folder of results its own are.
  local command=$1 one home truth uem
  shift
  if (($# == 0)); then
    "$command" "" "$data/manifest.jsonl" "$data/ref.rttm" "$data/all.uem"
  fi
  for one; do
    home=$data/$(basename "$one" .toml)
    if [[ $one == *.toml ]]; then
      "$command" "/$(basename "$home")" "$home/manifest.jsonl" "$home/ref.rttm" "$home/all.uem"
    elif [[ -d $one ]]; then
      truth=$(first_of "$one"/*.rttm) uem=$(first_of "$one"/*.uem)
      "$command" "/$(basename "$one")" "$one" "$truth" "$uem"
    else
      echo "$one is not there; going on without it"
    fi
  done
}

first_of() { # first_of FILE...: the first, which a pattern without a match is not
  [[ -e $1 ]] || { echo "$1: no such file; a set needs one" >&2; return 1; }
  echo "$1"
}

trained() { [[ -e $exp/done/3_train ]]; } # whether stage 3 of this run left an attributor
