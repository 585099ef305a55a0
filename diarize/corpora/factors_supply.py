"""Batches of plain images, for models that are told nothing of what is in them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from diarize.corpora.batch import Batch
from diarize.corpora.celeba import CelebaSettings
from diarize.corpora.chance import generator_of
from diarize.corpora.factors import FactorImages, read_set
from diarize.corpora.factors_mnist import MnistImageSettings
from diarize.corpora.factors_sprites import SpriteSettings
from diarize.corpora.prepared import check_prepared
from diarize.errors import BadCall, BadFile

PHASES = ("autoencoder", "diffusion")


class FactorSupply:
    """Hands out the images that `diarize prepare` left in a folder; a `Supply`.

    An epoch of either phase goes through all images of the part, in an order of chance and in
    whole batches. Levels of factors are for scores: no batch has them.
    """

    settings_type: type[Any] = SpriteSettings

    def __init__(self, folder: Path | str, settings: Any) -> None:
        """The supply of what was prepared in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others.
        """
        self.folder, self.settings = Path(folder), settings
        check_prepared(self.folder, settings)

    @functools.cached_property
    def images(self) -> FactorImages:
        """All that is handed out."""
        found = read_set(self.folder, self.settings.part)
        if len(found) < self.settings.batch:
            raise BadFile(
                f"{self.folder}: {len(found)} images of part {self.settings.part!r}; "
                f"batch = {self.settings.batch} wants as many at least"
            )
        return found

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch of `phase` has."""
        self._check(phase)
        return len(self.images) // int(self.settings.batch)

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch `epoch` (from 0) of `phase`, from number `start` on."""
        self._check(phase)
        return self._batches(phase, epoch, start)

    def _batches(self, phase: str, epoch: int, start: int) -> Iterator[Batch]:
        n_each, images = int(self.settings.batch), self.images.images
        order = generator_of(self.settings.seed, phase, epoch, "order").permutation(len(images))
        for number in range(start, self.n_batches(phase)):
            chosen = order[number * n_each : (number + 1) * n_each]
            yield Batch(torch.from_numpy(images[chosen]).float() / 255)

    def _check(self, phase: str) -> None:
        if phase not in PHASES:
            raise BadCall(f"no phase {phase!r} of plain images; there are {', '.join(PHASES)}")


class SpriteSupply(FactorSupply):
    """Bars whose factors are known exactly."""

    settings_type = SpriteSettings


class MnistImageSupply(FactorSupply):
    """MNIST's digits, one an image."""

    settings_type = MnistImageSettings


class CelebaSupply(FactorSupply):
    """Faces of CelebA."""

    settings_type = CelebaSettings
