"""Where a training is, and how long it may still take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from diarize.training.checkpoint import Position


@dataclass(frozen=True)
class Progress:
    """Where a training is: told at each line of the journal.

    Attributes:
        epoch: the one under way, from 1 to `n_epochs`.
        is_epoch_end: whether this was its last step.
        share: of all steps of all phases that are done.
        total: the loss since the line before, nats a datum.
        remaining_s: seconds that the other steps may take, at the pace since this process began;
            None if no time has passed.
    """

    phase: str
    epoch: int
    n_epochs: int
    is_epoch_end: bool
    share: float
    total: float
    remaining_s: float | None = None


class Pace:
    """How fast a training goes on, reckoned from where this process found it."""

    def __init__(self, n_epochs: Mapping[str, int], n_steps: Mapping[str, int]) -> None:
        self.n_epochs, self.n_steps = n_epochs, n_steps
        self._began: tuple[float, float] | None = None

    def begin(self, done: Position) -> None:
        """Start the clock."""
        self._began = time.monotonic(), self._share(done)

    def progress(self, done: Position, total: float) -> Progress:
        """What to tell of a training that stands at `done`."""
        share, remaining_s = self._share(done), None
        if self._began is not None:
            began_s, at_share = self._began
            if share > at_share:
                remaining_s = (time.monotonic() - began_s) / (share - at_share) * (1 - share)
        return Progress(
            done.phase,
            epoch=done.epoch + 1,
            n_epochs=self.n_epochs[done.phase],
            is_epoch_end=done.step == self.n_steps[done.phase],
            share=share,
            total=total,
            remaining_s=remaining_s,
        )

    def _share(self, done: Position) -> float:
        phases = list(self.n_epochs)
        steps = {name: self.n_epochs[name] * self.n_steps[name] for name in phases}
        before = sum(steps[name] for name in phases[: phases.index(done.phase)])
        here = done.epoch * self.n_steps[done.phase] + done.step
        return (before + here) / sum(steps.values())
