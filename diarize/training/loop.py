"""Training a model through its phases; killed at any moment, it goes on to the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diarize.models.contract import Supply, Trainable
from diarize.training.course import MODEL, Course
from diarize.training.device import pick_device, threads_of
from diarize.training.interrupt import held_signals
from diarize.training.journal import Journal
from diarize.training.progress import Progress
from diarize.training.ranks import met_ranks
from diarize.training.settings import TrainSettings
from diarize.training.shipped import plain
from diarize.training.watch import Watched

__all__ = ["Progress", "Trained", "Watched", "pick_device", "train"]


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        path: the weights that ship; `load_model` makes a model of them.
        steps: of all phases.
        seconds: they took, without the time between being killed and going on.
        losses: `total` and its parts, means over the last line of the journal.
    """

    path: Path
    steps: int
    seconds: float
    losses: Mapping[str, float]


def train(
    model: Trainable,
    supply: Supply,
    settings: TrainSettings,
    folder: Path,
    *,
    notify: Callable[[Progress], None] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Trained:
    """Train `model` in its phases and write what ships into `folder`: `model.safetensors`, `.json`.

    A training that `folder` holds a checkpoint of goes on from there; on a CPU its numbers are
    those of one that never stopped, for all that is drawn hangs on the seed, the phase, the epoch
    and the step. One that has ended is not repeated. In the end `model` has the weights that ship.
    SIGINT and SIGTERM are held back until the step under way is in a checkpoint.

    Where torchrun, or `diarize train --ranks`, started several processes, each calls this, and
    each takes its share of every step; only rank 0 writes, and only it tells of progress.

    Args:
        supply: what to train on; a `Watched` one has data to judge by, too.
        notify: is told of the progress.
        data: what `model.json` should say of the data. A training on other data is another one.

    Raises:
        BadFile: unknown phases; a checkpoint that is damaged or of another training.
        BadCall: another training is at work in `folder`; there is no such device.
        Diverged: the loss or its gradient is not finite; the last checkpoint stays.
        LostRank, RanksApart: another rank has ended, or has come to other weights.
    """
    with threads_of(settings.threads), met_ranks() as ranks:
        with Journal(folder, settings.journal_every, writes=ranks.is_first) as journal:
            course = Course(model, supply, settings, folder, plain(data or {}), ranks)
            with held_signals() as signals:
                told = notify if notify and ranks.is_first else lambda _: None
                course.run(journal, signals, told)
        ranks.wait()  # until all files are there
        done = course.position
        return Trained(folder / MODEL, done.steps, done.seconds, journal.last)
