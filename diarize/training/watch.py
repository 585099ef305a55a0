"""Data that a training is judged by as it goes on, and when that says to stop."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from diarize.errors import BadCall, BadFile
from diarize.models.contract import Batch, Supply, Trainable
from diarize.training.settings import PhaseSettings
from diarize.training.shares import shares_of
from diarize.training.update import Manner, Tally, loss_of, step_seed


@dataclass(frozen=True)
class Watched:
    """A supply to train on, and one to judge by; itself a `Supply`, the first.

    Of `development`, epoch 0 of each phase is taken, each time anew.
    """

    training: Supply
    development: Supply

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch of `phase` has to train on."""
        return self.training.n_batches(phase)

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches to train on of epoch `epoch` (from 0), from number `start` on."""
        return self.training.epoch(phase, epoch, start)


class Watch:
    """The best that one phase has come to, and how long ago that was.

    Attributes:
        best: of the number that is watched; None before the first look.
        n_waited: looks since then.
        weights: as they were then; none unless the phase has patience.
    """

    def __init__(self, settings: PhaseSettings) -> None:
        self.settings = settings
        self.best: float | None = None
        self.n_waited = 0
        self.weights: dict[str, Tensor] = {}

    @property
    def is_over(self) -> bool:
        """Whether the phase is out of patience."""
        return 0 < self.settings.patience <= self.n_waited

    def is_due(self, epoch: int) -> bool:
        """Whether to look at the end of epoch `epoch`, from 0; always at the last."""
        return not (epoch + 1) % self.settings.evaluate_every or epoch + 1 == self.settings.epochs

    def look(self, numbers: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        """Take in what development data cost with these weights. NaN is never the best.

        Raises:
            BadCall: what is to be watched is not among the numbers.
        """
        name = self.settings.watch
        if name not in numbers:
            raise BadCall(f"watch = {name!r}; this model's losses have {', '.join(numbers)}")
        found = numbers[name]
        sign = 1 if self.settings.better == "lower" else -1
        if self.best is None or math.isnan(self.best) or sign * found < sign * self.best:
            self.best, self.n_waited = found, 0
            if self.settings.patience:
                self.weights = {name: one.detach().clone() for name, one in weights.items()}
        else:
            self.n_waited += 1

    def state(self) -> dict[str, Any]:
        """What `restore` needs, besides the weights."""
        return {"best": self.best, "n_waited": self.n_waited}

    def restore(self, state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Go on from what `state` told."""
        self.best, self.n_waited = state.get("best"), state.get("n_waited", 0)
        self.weights = dict(weights)


def check_watched(supply: Supply, phases: Mapping[str, PhaseSettings]) -> None:
    """Check that there are data to be patient by, where a phase has patience.

    Raises:
        BadFile: there are none.
        BadCall: they have no batch of a phase.
    """
    for name, phase in phases.items():
        if not isinstance(supply, Watched):
            if phase.patience:
                raise BadFile(
                    f"[train.phases.{name}]: patience = {phase.patience}, and there are no data to "
                    "judge by; a table [train.develop] says what differs in them from [data]"
                )
        elif (n_batches := supply.development.n_batches(name)) < 1:
            raise BadCall(f"{name}: {n_batches} batches to judge by; 1 or more are needed")


def cost_of(
    model: Trainable,
    supply: Supply,
    phase: str,
    seed: int,
    generator: torch.Generator,
    manner: Manner,
) -> dict[str, float]:
    """What epoch 0 of `phase` of a supply costs: "total", and its parts; by all ranks together.

    Noise is by `generator`, seeded for each batch: the same at each look.
    """
    tally = Tally()
    batches = islice(supply.epoch(phase, 0), supply.n_batches(phase))
    for number, batch in enumerate(batches):
        generator.manual_seed(step_seed(seed, f"{phase} development", 0, number))
        for share in shares_of([batch], manner.ranks, generator.device):
            losses = loss_of(model, share, generator, manner.precision)
            counted = losses.n_counted
            tally.add(losses, float(len(share.batch) if counted is None else counted))
    cost = tally.update(torch.zeros(()), manner.ranks)
    return {"total": cost.loss, **cost.parts}


@contextlib.contextmanager
def at_rest(module: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """In the block, the module has these weights and learns nothing; then it is as it was."""
    before = {name: one.clone() for name, one in module.state_dict().items()}
    was_training, modes = module.training, [(one, one.training) for one in module.modules()]
    module.load_state_dict(dict(weights))
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.load_state_dict(before)
        module.train(was_training)
        for one, mode in modes:
            one.training = mode
