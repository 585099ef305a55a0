# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 4: who spoke when, for every recording of $data, or of each set $1 $2 ... (see sets.sh); those
# that a stopped run has finished are kept.
# reads   $data/manifest.jsonl, or those of the sets
#         $exp/train/model.safetensors, if stage 3 made it
# writes  $exp/result/RECORDING.rttm  $exp/result/RECORDING.json (with the posterior), as the conf says
#         $exp/result_msvae, the same, by the attributor of stage 3
#         or $exp/result/SET and $exp/result_msvae/SET
set -euo pipefail
# shellcheck source=recipes/diarization/sets.sh
. "$(dirname "${BASH_SOURCE[0]}")/sets.sh"
resumable "$exp/result" "$exp/result_msvae"

infer() { # infer RECORDINGS RESULT CONF
  local recordings=$1 name=${2#"$exp/"} jobs=1 options=()
  if [[ $1 == *.jsonl ]]; then # each job has its part of a manifest
    recordings='{shard}' jobs=$nj options=(--split "$1")
  fi
  "$python" -m diarize.jobs --nj "$jobs" --launcher "$launcher" ${options[@]+"${options[@]}"} \
    --log "$exp/log/4_infer.${name//\//.}.{job}.log" -- \
    "$python" -m diarize infer "$recordings" --format rttm,json -o "$2" --conf "$3"
}

infer_set() { # infer_set PLACE RECORDINGS: as the conf says, and by the attributor of stage 3
  infer "$2" "$exp/result$1" "$conf"
  if trained; then
    infer "$2" "$exp/result_msvae$1" "$exp/infer_msvae.toml"
  fi
}

if trained; then
  printf "extends = '''%s'''\n[infer]\nattributor = \"msvae\"\nattributor_weights = '''%s'''\n" \
    "$(realpath "$conf")" "$exp/train/model.safetensors" > "$exp/infer_msvae.toml"
fi
each_set infer_set "$@"
