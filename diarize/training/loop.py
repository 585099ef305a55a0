"""Training a model through its phases; killed at any moment, it goes on to the same numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diarize.errors import BadCall
from diarize.models.contract import Supply, Trainable
from diarize.training.course import MODEL, Course, Progress
from diarize.training.interrupt import held_signals
from diarize.training.journal import Journal
from diarize.training.settings import TrainSettings
from diarize.training.shipped import plain

__all__ = ["Progress", "Trained", "pick_device", "train"]


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

    Args:
        notify: is told of the progress.
        data: what `model.json` should say of the data. A training on other data is another one.

    Raises:
        BadFile: unknown phases; a checkpoint that is damaged or of another training.
        BadCall: another training is at work in `folder`; there is no such device.
        Diverged: the loss or its gradient is not finite; the last checkpoint stays.
    """
    with _threads(settings.threads), Journal(folder, settings.journal_every) as journal:
        course = Course(
            model, supply, settings, folder, plain(data or {}), pick_device(settings.device)
        )
        with held_signals() as signals:
            course.run(journal, signals, notify or (lambda _: None))
        done = course.position
        return Trained(folder / MODEL, done.steps, done.seconds, journal.last)


def pick_device(name: str) -> torch.device:
    """The device called "cpu", "cuda", or "auto": a GPU if there is one.

    Raises:
        BadCall: a GPU is wanted, and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise BadCall("device = 'cuda', and torch sees no GPU here; 'auto' or 'cpu' would be right")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let torch have so many threads in the block; 0 leaves them as they are."""
    before = torch.get_num_threads()
    if number:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
