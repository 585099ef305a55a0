"""Data in several views, handed out in batches for training."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from diarize.corpora.batch import Views
from diarize.corpora.chance import generator_of
from diarize.corpora.prepared import check_prepared
from diarize.errors import BadCall

PHASES = ("contrast", "views")


@runtime_checkable
class ViewSettings(Protocol):
    """What settings of a corpus of several views have besides their own."""

    @property
    def seed(self) -> int:
        """Of the order of batches."""
        ...

    @property
    def part(self) -> str:
        """What a supply hands out."""
        ...

    @property
    def batch(self) -> int:
        """Data of a batch."""
        ...

    @property
    def missing_share(self) -> float:
        """Of views, each by itself."""
        ...

    def prepared(self) -> dict[str, Any]:
        """Those that what is prepared hangs on, as JSON has them."""
        ...


@runtime_checkable
class ViewData(Protocol):
    """The data of one prepared part."""

    @property
    def n_views(self) -> int:
        """Of each datum."""
        ...

    def __len__(self) -> int: ...

    def values(self, chosen: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen value"]:
        """The views of these data one after the other."""
        ...

    def truths(self, chosen: Int64[np.ndarray, " chosen"]) -> Int64[np.ndarray, "chosen column"]:
        """What is known of them."""
        ...


class ViewSupply:
    """Hands out a prepared part in batches of `Views`; a `Supply` of "contrast" and "views".

    An epoch goes through all data once, in an order of chance, in whole batches; a part smaller
    than a batch is one batch.
    """

    settings_type: type
    opens: Callable[[Path, str, Any], ViewData]

    def __init__(self, folder: Path | str, settings: ViewSettings) -> None:
        """The supply of what was prepared in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others.
        """
        self.folder, self.settings = Path(folder), settings
        check_prepared(self.folder, settings)

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch has."""
        self._check(phase)
        return max(len(self._data) // self.settings.batch, 1)

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Views]:
        """The batches of epoch `epoch` (from 0), from number `start` on."""
        self._check(phase)
        names = (phase, self.settings.part, epoch)
        order = generator_of(self.settings.seed, *names).permutation(len(self._data))
        batch, n_views = self.settings.batch, self._data.n_views
        for number in range(start, self.n_batches(phase)):
            chosen = order[number * batch : (number + 1) * batch]
            chance = generator_of(self.settings.seed, *names, number)
            yield Views(
                torch.from_numpy(self._data.values(chosen)),
                present=present_views(len(chosen), self.settings.missing_share, chance, n_views),
                truths=torch.from_numpy(self._data.truths(chosen)),
            )

    def _check(self, phase: str) -> None:
        if phase not in PHASES:
            raise BadCall(f"no phase {phase!r} of views; there are {', '.join(PHASES)}")

    @functools.cached_property
    def _data(self) -> ViewData:
        return type(self).opens(self.folder, self.settings.part, self.settings)


def present_views(
    n_data: int, missing_share: float, chance: np.random.Generator, n_views: int
) -> Bool[torch.Tensor, "datum view"] | None:
    """Which views of each datum are there, at least one; None where none is ever missing."""
    if not missing_share:
        return None
    present = chance.random((n_data, n_views)) >= missing_share
    lost = ~present.any(1)
    present[lost, chance.integers(n_views, size=int(lost.sum()))] = True
    return torch.from_numpy(present)
