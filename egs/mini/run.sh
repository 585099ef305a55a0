#!/usr/bin/env bash
# Who spoke when in a real 30 s telephone call and in a synthetic conversation: the whole
# diarization recipe, with trained weights, on a CPU. The first run also makes .venv.
#
#   bash egs/mini/run.sh                finish what is missing
#   bash egs/mini/run.sh --stage 4      infer again, and all after it
#   bash egs/mini/run.sh --dry-run      what would be done

conf=conf/default.toml
family=diarization
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

stage 0 fetch mini # -> data/manifest.jsonl, ref.rttm, all.uem
stage 4 infer      # -> exp/default/result
stage 5 score      # -> exp/default/score.json
stage 6 report     # -> exp/default/report.html

show "$exp/score.txt"
where "who, when" "$exp/result"/*.rttm
where "picture" "$exp/picture"/*.png
where "report" "$exp/report.html"
