#!/usr/bin/env bash
# Who spoke when in the 16 test meetings of AMI (9 h), as the mix of their headsets or one far microphone
# heard them, scored against BUT's references: with the weights that ship, and with TRAIN=yes beside them
# by a speech MS-VAE trained on the 136 train meetings (78 h; 26 GB of what is heard of them, hours).
# Fetched from Edinburgh: 1 GB, with train 10 GB (AMI is under CC BY 4.0). The first run also makes .venv.
#
#   bash egs/ami/run.sh                                      the mix of headsets
#   bash egs/ami/run.sh --conf conf/sdm.toml                 the far microphone, Array1-01
#   bash egs/ami/run.sh --conf conf/mix_headset_dev.toml     the 18 dev meetings, to choose settings on
#   TRAIN=yes bash egs/ami/run.sh --nj 4                     train too
#   AMI=/corpora/amicorpus AMI_REFERENCES=/corpora/AMI-diarization-setup bash egs/ami/run.sh
#   bash egs/ami/run.sh --conf conf/mini.toml                ten excerpts of 30 s, laid out as AMI

conf=conf/mix_headset.toml
family=diarization own_data=yes
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

places=(${AMI:+--corpus "$AMI"} ${AMI_REFERENCES:+--references "$AMI_REFERENCES"})
attributor=conf/attributor.toml
[[ $conf != *mini.toml ]] || attributor=conf/tiny_attributor.toml

stage 0 fetch ami -- ${places[@]+"${places[@]}"} ${TRAIN:+--also train} # -> data/mix_headset/corpus, references
stage 1 prepare ami ${TRAIN:+train} -- ${places[@]+"${places[@]}"}      # -> data/mix_headset/manifest.jsonl, ...
if [[ -n ${TRAIN:-} ]]; then
  stage 2 features "$attributor"                                        # -> data/mix_headset/train/heard
  stage 3 train "$attributor"                                           # -> exp/mix_headset/train
fi
stage 4 infer                                                           # -> exp/mix_headset/result
stage 5 score                                                           # -> exp/mix_headset/score.json
stage 6 report                                                          # -> exp/mix_headset/report.html

show "$exp/score.txt"
show "$exp/score_msvae.txt" "By the MS-VAE that was trained here:"
where "who, when" "$exp/result"
where "report" "$exp/report.html"
