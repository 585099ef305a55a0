#!/usr/bin/env bash
# Who spoke when in telephone conversations that were recorded with a speaker a channel, such as CALLHOME:
# diarized as the mean of the channels, and scored against references given, or made of the channels. The
# recordings are yours (CALLHOME is licensed by the LDC): CALLS is their folder, CALLS_REFERENCES one of .rttm,
# CALLS_UEM one of .uem. Minutes on a CPU an hour of calls. The first run also makes .venv.
#
#   CALLS=/corpora/callhome/data bash egs/callhome/run.sh
#   CALLS=/corpora/calls CALLS_REFERENCES=/corpora/calls/rttm bash egs/callhome/run.sh

conf=conf/default.toml
family=diarization own_data=yes
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

places=(${CALLS:+--corpus "$CALLS"} ${CALLS_REFERENCES:+--references "$CALLS_REFERENCES"}
  ${CALLS_UEM:+--uem "$CALLS_UEM"})

stage 0 fetch callhome -- ${places[@]+"${places[@]}"}   # says what to put where, if nothing is there
stage 1 prepare callhome -- ${places[@]+"${places[@]}"} # -> data/default/manifest.jsonl, ref.rttm, all.uem
stage 4 infer                                           # -> exp/default/result
stage 5 score                                           # -> exp/default/score.json
stage 6 report                                          # -> exp/default/report.html

show "$exp/score.txt"
where "who, when" "$exp/result"
where "report" "$exp/report.html"
