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
from diarize.corpora.digit_mixtures import NOBODY, ImagePool, as_floats, draw_pattern, laplace, sums
from diarize.corpora.digit_sets import read_images
from diarize.corpora.digit_settings import DigitSettings
from diarize.corpora.distortion import distort
from diarize.corpora.mnist import SIZE
from diarize.corpora.prepared import check_prepared
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
    in both phases and all epochs, in another order. An epoch has `n_train_mixtures` in whole
    batches. The last of each batch, `known_share` of it, are of labelled images, and
    `Batch.patterns` says which streams are on in them; the rest have -1 there.
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
            self._distort(images, chance)
            noisy = chance.random(len(images)) < self.settings.expert_noise_share
            if noisy.any():
                shape = (int(noisy.sum()), images.shape[1])
                images[noisy] += laplace(shape, self.settings.noise_scale, chance)
            yield Batch(torch.from_numpy(images), labels)

    def _expert_order(self, epoch: int, n_each: int) -> Int64[np.ndarray, "stream place"]:
        """Which images an epoch takes, of each stream in turn."""
        chance = generator_of(self.settings.seed, "experts", epoch, "order")
        rows = []
        for first, size in zip(self._experts.starts, self._experts.sizes, strict=True):
            laps = [chance.permutation(size) for _ in range(-(-n_each // size))]
            rows.append(first + np.concatenate(laps)[:n_each])
        return np.stack(rows)

    def _distort(
        self, images: Float32[np.ndarray, "image pixel"], chance: np.random.Generator
    ) -> None:
        """Distort some of the images, in place."""
        distorted = chance.random(len(images)) < self.settings.augment_share
        if distorted.any():
            some = torch.from_numpy(images[distorted]).view(-1, SIZE, SIZE)
            made = distort(some, self.settings.augment, torch_generator(chance))
            images[distorted] = made.flatten(1).numpy()

    @property
    def _n_known(self) -> int:
        """How many mixtures of a batch come with their pattern."""
        return round(self.settings.known_share * self.settings.mixture_batch)

    def _fixed_batches(self, phase: str, epoch: int, start: int) -> Iterator[Batch]:
        order = generator_of(self.settings.seed, phase, epoch, "order").permutation(
            self.settings.n_train_mixtures
        )
        n_unknown = self.settings.mixture_batch - self._n_known
        for number in range(start, self.n_batches(phase)):
            chosen = order[number * n_unknown : (number + 1) * n_unknown]
            chance = generator_of(self.settings.seed, phase, epoch, number)
            yield self._with_known(self._fixed[chosen], chance)

    def _with_known(
        self, unknown: Float32[np.ndarray, "mixture pixel"], chance: np.random.Generator
    ) -> Batch:
        """A batch of mixtures, to which come those with known patterns, at its end."""
        if not self._n_known:
            return Batch(torch.from_numpy(unknown))
        settings = self.settings
        presence = settings.known_by_count or settings.presence_by_count or settings.presence
        pattern = draw_pattern(self._n_known, self.n_streams, presence, chance)
        index = self._experts.draw(pattern, chance)
        place = index != NOBODY
        images = as_floats(self._experts.images[index[place]])
        self._distort(images, chance)
        known = np.zeros((self._n_known, SIZE * SIZE), np.float32)
        np.add.at(known, np.nonzero(place)[0], images)
        share = chance.random((len(known), 1), dtype=np.float32)
        known += share * laplace(known.shape, settings.noise_scale, chance)
        patterns = np.concatenate([np.full((len(unknown), self.n_streams), -1), pattern])
        return Batch(
            torch.from_numpy(np.concatenate([unknown, known])),
            patterns=torch.from_numpy(patterns.astype(np.int64)),
        )

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
            drawn = self._drawn(self.settings.mixture_batch - self._n_known, chance)
            yield self._with_known(drawn, chance)

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
