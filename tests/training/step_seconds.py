"""CPU seconds of the parts of a training step, by one thread: `step_seconds.py CONF DATA PHASE`.

Told are the medians over twenty steps: of the supply's batch, which every rank makes; of a step by
all rows; and of one by every second row, as one of two ranks takes it, without the messages.
"""

import statistics
import sys
import time
from itertools import islice
from pathlib import Path

import torch

from diarize.cli.train_conf import read_training
from diarize.training.optimizer import make_optimizer
from diarize.training.ranks import Ranks
from diarize.training.shares import shares_of
from diarize.training.update import Manner, update

N_STEPS, N_FIRST = 20, 4


def main(conf, folder, phase):
    torch.set_num_threads(1)
    found = read_training(Path(conf), Path(folder))
    settings = found.settings.phases[phase]
    found.model.begin(phase)
    optimizer = make_optimizer(found.model, settings)
    generator, manner = torch.Generator().manual_seed(0), Manner(settings.clip_norm)
    spent = {"supply": [], "all rows": [], "half the rows": []}
    batches = islice(found.supply.epoch(phase, 0), N_FIRST + N_STEPS)
    while True:
        began = time.process_time()
        batch = next(batches, None)
        if batch is None:
            break
        spent["supply"].append(time.process_time() - began)
        half = shares_of([batch], Ranks(0, 2))[0].batch
        for name, rows in (("all rows", batch), ("half the rows", half)):
            began = time.process_time()
            update(found.model, optimizer, shares_of([rows]), generator, manner)
            spent[name].append(time.process_time() - began)
    for name, seconds in spent.items():
        sys.stdout.write(f"{name:14} {1000 * statistics.median(seconds[N_FIRST:]):6.1f} ms\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
