# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 2: what the networks hear of the recordings to train on, those in the folders of [data] in
# the conf $1 (or that of the run); files of the same sound and truth are kept. With DIARIZE_STORE=DIR
# nothing is heard that any run or `diarize infer --store DIR` heard before, whatever the truth says.
# reads   $data/FOLDER/manifest.jsonl  $DIARIZE_STORE (90 KB more a second of audio)
# writes  $data/FOLDER/heard/RECORDING.safetensors (90 KB a second of audio)
set -euo pipefail
cores=$(nproc)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(((cores + nj - 1) / nj))}
"$python" -m diarize.jobs --nj "$nj" --launcher "$launcher" --log "$exp/log/2_features.{job}.log" -- \
  "$python" -m diarize prepare scenes --conf "${1:-$conf}" --data "$data" --part "{job}/{nj}"
