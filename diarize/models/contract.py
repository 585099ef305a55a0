"""What every model room promises, and what passes between a model and its users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.corpora.batch import Batch, Supply
from diarize.formats.activity import Activity

__all__ = ["Activity", "Batch", "Losses", "Supply", "Trainable"]


@dataclass(frozen=True)
class Losses:
    """What one batch costs.

    Attributes:
        total: what is minimised, in nats a datum, with its gradient.
        parts: what a journal should keep, by name, without gradients: terms of the total (nats a
            datum) or anything else worth a curve.
    """

    total: Float[Tensor, ""]
    parts: Mapping[str, Float[Tensor, ""]] = field(default_factory=dict)


@runtime_checkable
class Trainable(Protocol):
    """A `torch.nn.Module` that `diarize.training` can train without knowing which it is.

    All that changes in training is in its `state_dict`, sums kept for the end of an epoch
    included: that and the optimizer's state are all a training needs to go on.
    """

    phases: tuple[str, ...]
    """The names of the phases of its training, in their order."""

    def begin(self, phase: str) -> None:
        """Set modes and `requires_grad` for `phase`; called again when a training goes on."""
        ...

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What `batch` costs in the present phase; chance comes from `generator`."""
        ...

    def end_epoch(self) -> Mapping[str, float]:
        """Make the updates that are made once an epoch; return what a journal should keep."""
        ...
