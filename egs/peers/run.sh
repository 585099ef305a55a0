#!/usr/bin/env bash
# Ours beside senko 0.2.2 and a pyannote.audio 4.0.7 pipeline, each in an environment of its own, on
# the same recordings with the same scorer. The first run fetches about 6 GB. Not part of CI.
#
#   bash egs/peers/run.sh                finish what is missing
#   bash egs/peers/run.sh --stage 4      measure again
#   PEERS_ENV=/big/disk/env bash egs/peers/run.sh

conf=conf/default.toml
family=peers
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

stage 0 fetch   # -> env/senko, env/pyannote
stage 1 prepare # -> data/wav, data/ref.rttm, data/all.uem
stage 4 infer   # -> exp/default/SYSTEM/result, timing.json
stage 5 score   # -> exp/default/SYSTEM/score.json
stage 6 report  # -> exp/default/table.md

show "$exp/table.md"
where "table" "$exp/table.md"
