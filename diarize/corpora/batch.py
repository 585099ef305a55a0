"""What a model is trained on, a piece at a time, and who hands the pieces out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Some inputs, and what is known of each.

    Attributes:
        inputs: as the model takes them; the first axis is the datum.
        labels: the class of each datum from 0, or None where the model may not know it.
        patterns: of mixtures, which streams are on (1) and which are not (0); a row of -1 where
            that is not to be known, None where it never is.
    """

    inputs: Float[Tensor, "batch ..."]
    labels: Int[Tensor, " batch"] | None = None
    patterns: Int[Tensor, "batch stream"] | None = None

    def __len__(self) -> int:
        return len(self.inputs)


@runtime_checkable
class Supply(Protocol):
    """Hands out the batches of every phase of a training.

    The batches of an epoch depend on the seed, the phase, and the epoch's number, and on nothing
    that was drawn before: a training that was killed goes on with the batches it had not seen.
    """

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch of `phase` has."""
        ...

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch `epoch` (from 0) of `phase`, from number `start` on."""
        ...
