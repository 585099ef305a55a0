"""Batches of PolyMNIST, for training."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool

from diarize.corpora.batch import Views
from diarize.corpora.chance import generator_of
from diarize.corpora.polymnist import PolymnistImages
from diarize.corpora.polymnist_settings import N_VIEWS, PolymnistSettings
from diarize.corpora.prepared import check_prepared
from diarize.errors import BadCall

PHASES = ("views",)


class PolymnistSupply:
    """Hands out what `diarize prepare polymnist` left in a folder; a `Supply` of phase "views".

    A batch is `Views`: the five images of each datum, flattened, in 0 to 1; its truths are the
    digit, and the quadrant of each view. An epoch goes through all data of the part once, in an
    order of chance, in whole batches.
    """

    settings_type = PolymnistSettings

    def __init__(self, folder: Path | str, settings: PolymnistSettings) -> None:
        """The supply of what was prepared in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others.
        """
        self.folder, self.settings = Path(folder), settings
        check_prepared(self.folder, settings)

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch has."""
        self._check(phase)
        return len(self._images) // self.settings.batch

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Views]:
        """The batches of epoch `epoch` (from 0), from number `start` on."""
        self._check(phase)
        part, batch = self.settings.part, self.settings.batch
        order = generator_of(self.settings.seed, "views", part, epoch).permutation(
            len(self._images)
        )
        for number in range(start, self.n_batches(phase)):
            chosen = order[number * batch : (number + 1) * batch]
            chance = generator_of(self.settings.seed, "views", part, epoch, number)
            yield Views(
                torch.from_numpy(self._images.values(chosen)),
                present=present_views(len(chosen), self.settings.missing_share, chance),
                truths=torch.from_numpy(self._images.truths(chosen)),
            )

    def _check(self, phase: str) -> None:
        if phase not in PHASES:
            raise BadCall(f"no phase {phase!r} of views; there is {PHASES[0]!r}")

    @functools.cached_property
    def _images(self) -> PolymnistImages:
        return PolymnistImages(self.folder, self.settings.part, self.settings)


def present_views(
    n_data: int, missing_share: float, chance: np.random.Generator, n_views: int = N_VIEWS
) -> Bool[torch.Tensor, "datum view"] | None:
    """Which views of each datum are there, at least one; None where none is ever missing."""
    if not missing_share:
        return None
    present = chance.random((n_data, n_views)) >= missing_share
    lost = ~present.any(1)
    present[lost, chance.integers(n_views, size=int(lost.sum()))] = True
    return torch.from_numpy(present)
