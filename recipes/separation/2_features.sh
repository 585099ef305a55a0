# shellcheck shell=bash disable=SC2154  # stages.sh exports python, conf, data, exp, nj, launcher
# Stage 2: every source of every song in a file of its own, at the model's rate, --nj songs at once.
# reads   $data/{train,validation,test,...}, or the corpus in the folder SONGS
# writes  $data/stems/PART/SONG/SOURCE.wav  $data/stems/songs.json
#         $data/mixtures/PART/SONG.wav  $data/activity/PART/SONG.rttm, but of the part to train on;
#         with sources = ["drums", "bass"] in the conf, $data/drums_bass/{stems,mixtures,activity}
# Where the conf trains on a codec's latents, those of the mixtures of its sources, each encoded once:
# writes  $data/latents/CODEC/PART/SONG/SOURCES.{npy,power.npy,json}
set -euo pipefail
settings=$conf
if [[ -n ${SONGS:-} ]]; then
  settings=$data/songs.toml
  printf "extends = '''%s'''\n[data]\nsongs = '''%s'''\n" "$(realpath "$conf")" "$(realpath "$SONGS")" > "$settings"
fi
"$python" -m diarize.jobs --nj "$nj" --launcher "$launcher" --log "$exp/log/2_features.{job}.log" -- \
  "$python" -m diarize prepare stems --data "$data" --conf "$settings" --part "{job}/{nj}"
if [[ $("$python" -m diarize conf "$conf" --get data.corpus) == latents ]]; then
  "$python" -m diarize.jobs --nj "$nj" --launcher "$launcher" --log "$exp/log/2_latents.{job}.log" -- \
    "$python" -m diarize prepare latents --data "$data" --conf "$settings" --part "{job}/{nj}"
fi
