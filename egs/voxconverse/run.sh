#!/usr/bin/env bash
# Who spoke when in the 232 test recordings of VoxConverse 0.3 (44 h of debates, news and talk shows), with
# the weights that ship. Fetched from VGG in Oxford: 5 GB of audio, and its archive while it unpacks (labels under
# CC BY 4.0, audio for research). The first run also makes .venv.
#
#   bash egs/voxconverse/run.sh --nj 4
#   bash egs/voxconverse/run.sh --conf conf/dev.toml        the 216 dev recordings (20 h), to choose settings on
#   VOXCONVERSE=/corpora/voxconverse VOXCONVERSE_LABELS=/corpora/voxconverse-labels bash egs/voxconverse/run.sh

conf=conf/test.toml
family=diarization own_data=yes
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

places=(${VOXCONVERSE:+--corpus "$VOXCONVERSE"} ${VOXCONVERSE_LABELS:+--references "$VOXCONVERSE_LABELS"})

stage 0 fetch voxconverse -- ${places[@]+"${places[@]}"}   # -> data/test/corpus, references
stage 1 prepare voxconverse -- ${places[@]+"${places[@]}"} # -> data/test/manifest.jsonl, ref.rttm, all.uem
stage 4 infer                                              # -> exp/test/result
stage 5 score                                              # -> exp/test/score.json
stage 6 report                                             # -> exp/test/report.html

show "$exp/score.txt"
where "who, when" "$exp/result"
where "report" "$exp/report.html"
