"""Seconds of a training step: a truncated posterior, an exact one, and one that lists all patterns.

python recipes/images/step_time.py --conf egs/mnist/conf/msvae.toml --data egs/mnist/data

Steps of the phase "mixtures" are made in turn by each, on the same batches, and the ratio is told
with its spread. "listed" is the exact posterior as the paper computes it: every pattern's mean,
and what is left of the mixture beside it, as one tensor.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import islice
from pathlib import Path

import torch

from diarize.config import read_toml
from diarize.corpora.supplies import make_supply
from diarize.layers.patterns import all_patterns
from diarize.models import make_model
from diarize.models.msvae import model as msvae
from diarize.models.msvae.posterior import weigh_patterns

KINDS = ("truncated", "exact", "listed")


def listed(mixtures, sources, observation, log_ratio=None):
    """All patterns weighed one by one."""
    patterns = all_patterns(sources.shape[1])[None].to(sources)
    return weigh_patterns(mixtures, sources, patterns, observation, log_ratio)


def step(model, optimizer, batch, generator) -> float:
    """The seconds of one step."""
    began = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    model.loss(batch, generator).total.backward()
    optimizer.step()
    return time.perf_counter() - began


def main() -> None:
    """Time the steps that the command line asks for, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conf", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tables = read_toml(arguments.conf)
    data = {name: value for name, value in tables["data"].items() if name != "corpus"}
    supply = make_supply(tables["data"]["corpus"], arguments.data, data, "[data]")
    batches = list(islice(supply.epoch("mixtures", 0), arguments.rounds + 1))
    generator = torch.Generator().manual_seed(0)
    at_once, models = msvae.weigh_all_patterns, {}
    for kind in KINDS:
        posterior = "truncated" if kind == "truncated" else "exact"
        made = make_model("msvae", {**tables["model"], "posterior": posterior}, "[model]")
        made.begin("mixtures")
        learned = [one for one in made.parameters() if one.requires_grad]
        models[kind] = made, torch.optim.Adam(learned, fused=True)
    seconds = {kind: [] for kind in KINDS}
    for number, batch in enumerate(batches):
        for kind, (made, optimizer) in models.items():
            msvae.weigh_all_patterns = listed if kind == "listed" else at_once
            took = step(made, optimizer, batch, generator)
            if number:  # the first warms up
                seconds[kind].append(took)
    lines = [f"{arguments.conf}: batches of {len(batches[0])}, {arguments.threads} thread(s)"]
    for kind in KINDS:
        ratios = [a / b for a, b in zip(seconds[kind], seconds["truncated"], strict=True)]
        lines.append(
            f"{kind:10} {statistics.median(seconds[kind]):.3f} s, "
            f"{statistics.median(ratios):.1f} times truncated "
            f"({min(ratios):.1f} to {max(ratios):.1f})"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
