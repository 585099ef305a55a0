"""Batches of single digits and of their mixtures, for training."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64

from diarize.corpora.batch import Batch
from diarize.corpora.chance import generator_of, torch_generator
from diarize.corpora.digit_mixtures import ImagePool, as_floats, draw_pattern, laplace, sums
from diarize.corpora.digit_sets import check_prepared, read_images
from diarize.corpora.digit_settings import DigitSettings
from diarize.corpora.distortion import distort
from diarize.corpora.mnist import SIZE
from diarize.errors import BadCall, BadFile

PHASES = ("experts", "mixtures", "refine")
_CHUNK = 5000  # fixed mixtures made at once


class DigitSupply:
    """Hands out what `diarize prepare digits` left in a folder; a `Supply`.

    Phase "experts": single images with labels (their streams), float32, "batch pixel". Each batch
    has as many of every class, class after class: `inputs.view(stream, per_class, pixel)` has the
    images of one class in each row. An epoch goes through the images of each class in an order of
    chance, through small classes more than once, large ones as far as it goes.

    Phases "mixtures" and "refine": mixtures with noise, without labels. Fixed ones are the same
    in both phases and all epochs, in another order. What does not fill a last batch is left out.
    """

    settings_type = DigitSettings

    def __init__(self, folder: Path | str, settings: DigitSettings) -> None:
        """The supply of what was prepared in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others.
        """
        self.folder = Path(folder)
        self.settings = settings
        check_prepared(self.folder, settings)

    @property
    def n_streams(self) -> int:
        """How many streams there are."""
        return self.settings.n_streams

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch of `phase` has."""
        self._check(phase)
        if phase == "experts":
            return max(len(self._experts.images) // self.settings.expert_batch, 1)
        return self.settings.n_train_mixtures // self.settings.mixture_batch

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch `epoch` (from 0) of `phase`, from number `start` on."""
        self._check(phase)
        if phase == "experts":
            return self._expert_batches(epoch, start)
        if self.settings.fixed_mixtures:
            return self._fixed_batches(phase, epoch, start)
        return self._fresh_batches(phase, epoch, start)

    def _check(self, phase: str) -> None:
        if phase not in PHASES:
            raise BadCall(f"no phase {phase!r} of digits; there are {', '.join(PHASES)}")

    @functools.cached_property
    def _experts(self) -> ImagePool:
        return self._pool("experts")

    @functools.cached_property
    def _mixing(self) -> ImagePool:
        return self._pool("mixing")

    def _pool(self, name: str) -> ImagePool:
        path = self.folder / f"{name}.safetensors"
        digits = read_images(path)
        try:
            return ImagePool(digits.images, digits.labels, self.n_streams)
        except BadFile as error:
            raise BadFile(f"{path}: {error}; run diarize prepare again") from None

    def _expert_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        n_batches = self.n_batches("experts")
        per_class = self.settings.expert_batch // self.n_streams
        order = self._expert_order(epoch, n_batches * per_class)
        labels = torch.arange(self.n_streams).repeat_interleave(per_class)
        for number in range(start, n_batches):
            chosen = order[:, number * per_class : (number + 1) * per_class].reshape(-1)
            images = as_floats(self._experts.images[chosen])
            chance = generator_of(self.settings.seed, "experts", epoch, number)
            yield Batch(self._altered(images, chance), labels)

    def _expert_order(self, epoch: int, n_each: int) -> Int64[np.ndarray, "stream place"]:
        """Which images an epoch takes, of each stream in turn."""
        chance = generator_of(self.settings.seed, "experts", epoch, "order")
        rows = []
        for first, size in zip(self._experts.starts, self._experts.sizes, strict=True):
            laps = [chance.permutation(size) for _ in range(-(-n_each // size))]
            rows.append(first + np.concatenate(laps)[:n_each])
        return np.stack(rows)

    def _altered(
        self, images: Float32[np.ndarray, "image pixel"], chance: np.random.Generator
    ) -> Float32[torch.Tensor, "image pixel"]:
        """The images, some of them distorted, some with noise."""
        distorted = chance.random(len(images)) < self.settings.augment_share
        noisy = chance.random(len(images)) < self.settings.expert_noise_share
        if distorted.any():
            some = torch.from_numpy(images[distorted]).view(-1, SIZE, SIZE)
            made = distort(some, self.settings.augment, torch_generator(chance))
            images[distorted] = made.flatten(1).numpy()
        if noisy.any():
            shape = (int(noisy.sum()), images.shape[1])
            images[noisy] += laplace(shape, self.settings.noise_scale, chance)
        return torch.from_numpy(images)

    def _fixed_batches(self, phase: str, epoch: int, start: int) -> Iterator[Batch]:
        chance = generator_of(self.settings.seed, phase, epoch, "order")
        order = chance.permutation(self.settings.n_train_mixtures)
        size = self.settings.mixture_batch
        for number in range(start, self.n_batches(phase)):
            chosen = order[number * size : (number + 1) * size]
            yield Batch(torch.from_numpy(self._fixed[chosen]))

    @functools.cached_property
    def _fixed(self) -> Float32[np.ndarray, "mixture pixel"]:
        """All fixed mixtures, with their noise, which is fixed too."""
        made = np.empty((self.settings.n_train_mixtures, SIZE * SIZE), np.float32)
        for start in range(0, len(made), _CHUNK):
            part = made[start : start + _CHUNK]
            part[:] = self._drawn(len(part), generator_of(self.settings.seed, "fixed", start))
        return made

    def _fresh_batches(self, phase: str, epoch: int, start: int) -> Iterator[Batch]:
        for number in range(start, self.n_batches(phase)):
            chance = generator_of(self.settings.seed, phase, epoch, number)
            yield Batch(torch.from_numpy(self._drawn(self.settings.mixture_batch, chance)))

    def _drawn(
        self, n_mixtures: int, chance: np.random.Generator
    ) -> Float32[np.ndarray, "mixture pixel"]:
        """Mixtures by chance, with noise."""
        presence = self.settings.presence_by_count or self.settings.presence
        pattern = draw_pattern(n_mixtures, self.n_streams, presence, chance)
        mixtures = sums(self._mixing.images, self._mixing.draw(pattern, chance))
        if self.settings.noise_scale:
            mixtures += laplace(mixtures.shape, self.settings.noise_scale, chance)
        return mixtures
