#!/usr/bin/env bash
# The speech MS-VAE: trained on conversations simulated from single speakers, noises and rooms, and tested
# on conversations of people, noises and rooms that it never met, beside clustering. Sources are
# ../shared/data beside the checkout, or yours: SPEECH (with speakers.tsv), NOISES, ROOMS; AMI_CLIPS is a
# folder of real recordings with .rttm and .uem. Hours on a CPU, 4 GB. The first run also makes .venv.
#
#   bash egs/simulated/run.sh                     finish what is missing
#   bash egs/simulated/run.sh --nj 4              simulate, listen and infer by four at once
#   bash egs/simulated/run.sh --stop-stage 3      the weights: exp/default/train/model.safetensors
#   SPEECH=/my/speech NOISES=/my/noises ROOMS=/my/rooms bash egs/simulated/run.sh
#   COUNT=2 bash egs/simulated/run.sh --conf conf/tiny.toml --data data/tiny    in minutes, to try

conf=conf/default.toml
family=diarization
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

said=(${SPEECH:+--speech "$SPEECH"} ${NOISES:+--noises "$NOISES"} ${ROOMS:+--rooms "$ROOMS"}
  ${COUNT:+--count "$COUNT"})
to_train=(conf/data/{meetings,talks,calm,crowds,calls,distant,varied}.toml)
to_test=(conf/data/{dev,dev_calls,dev_distant,test,test_two}.toml)
ami_clips=${AMI_CLIPS:-../../../shared/data/ami_clips}

stage 0 fetch simulated "${to_test[@]}" -- ${said[@]+"${said[@]}"}    # -> data/test, test_two, dev, ...
fetched=$upstream upstream='' # what is trained does not hang on what it will be tested on
stage 1 prepare simulated "${to_train[@]}" -- ${said[@]+"${said[@]}"} # -> data/meetings, talks, ...
stage 2 features                                           # -> data/meetings/heard, ...
stage 3 train                                              # -> exp/default/train/model.safetensors
upstream+=$fetched
stage 4 infer "${to_test[@]}" "$ami_clips"                 # -> exp/default/result/SET, result_msvae/SET
stage 5 score "${to_test[@]}" "$ami_clips"                 # -> exp/default/score.txt
stage 6 report "${to_test[@]}" "$ami_clips"                # -> exp/default/report/SET.html

show "$exp/score.txt"
where "weights" "$exp/train/model.safetensors"
where "scores" "$exp/score.md"
where "report" "$exp/report"/*.html
