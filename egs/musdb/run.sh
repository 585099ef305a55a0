#!/usr/bin/env bash
# Bass, drums, other and vocals out of real songs: MUSDB18-HQ, which you have unpacked from Zenodo record
# 3338373 (22 GB; for research) into a folder with train/ and test/. Not run on the real songs yet:
# RESULTS.md says what was. The first run also makes .venv.
#
#   SONGS=/where/musdb18hq bash egs/musdb/run.sh               finish what is missing
#   SONGS=/where/musdb18hq bash egs/musdb/run.sh --stage 5     score again

conf=conf/default.toml
family=separation
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

stage 2 features    # -> data/stems, data/mixtures, data/activity
stage 3 train       # -> exp/default/train/model.safetensors
stage 4 infer       # -> exp/default/result
stage 5 score       # -> exp/default/score.txt
stage 6 report      # -> exp/default/report.md

show "$exp/score.txt"
where "scores" "$exp/score"/*.md
where "report" "$exp/report.md"
