"""Mixtures of glyphs: which streams are on, which image each shows, their sum, and noise.

Images are uint8 in files and float32 in 0 to 1 in sums; a sum is not clipped, so that its values
go up to the number of glyphs. A stream is on at most once in a mixture.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt8

from diarize.corpora.chance import generator_of
from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadCall, BadFile

NOBODY = -1  # in an index: no glyph in this place


@dataclass(frozen=True)
class DigitMixtures:
    """A set of mixtures, and all that is true of them.

    Attributes:
        mixtures: the sums, with noise if the set has any.
        pattern: which streams are on.
        images: the images that the mixtures are made of.
        index: the image of each glyph in a mixture, in ascending order of their streams; -1 after
            the last of them.
        streams: the glyph of each stream.
        noise_scale: of the Laplace noise; 0 is none.
    """

    mixtures: Float32[np.ndarray, "mixture pixel"]
    pattern: Bool[np.ndarray, "mixture stream"]
    images: UInt8[np.ndarray, "image pixel"]
    index: Int32[np.ndarray, "mixture place"]
    streams: tuple[str, ...]
    noise_scale: float

    def __len__(self) -> int:
        return len(self.mixtures)

    @functools.cached_property
    def sources(self) -> list[Float32[np.ndarray, "source pixel"]]:
        """For each mixture its sources, without noise, in ascending order of their streams."""
        return [as_floats(self.images[row[row != NOBODY]]) for row in self.index]

    def source_array(self) -> Float32[np.ndarray, "mixture source pixel"]:
        """The sources of all mixtures, when all have as many.

        Raises:
            BadCall: they have not.
        """
        counts = np.unique(self.pattern.sum(axis=1))
        if len(counts) != 1:
            raise BadCall(f"mixtures of {', '.join(map(str, counts))} sources; expected one number")
        return as_floats(self.images[self.index[:, : counts[0]]])


class ImagePool:
    """Images to draw from, sorted by stream: the images of a stream lie side by side."""

    def __init__(
        self,
        images: UInt8[np.ndarray, "image ..."],
        labels: Int64[np.ndarray, " image"],
        n_streams: int,
    ) -> None:
        """The images with their streams, 0 to `n_streams` - 1.

        Raises:
            BadFile: a label out of range, or a stream without an image.
        """
        if len(labels) and not 0 <= labels.min() <= labels.max() < n_streams:
            raise BadFile(f"labels {labels.min()} to {labels.max()}; expected 0 to {n_streams - 1}")
        self.sizes = np.bincount(labels, minlength=n_streams)
        if not self.sizes.all():
            raise BadFile(f"no image of stream {int(np.argmin(self.sizes))}; expected some of each")
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.images = images.reshape(len(images), -1)[np.argsort(labels, kind="stable")]

    def draw(
        self, pattern: Bool[np.ndarray, "mixture stream"], chance: np.random.Generator
    ) -> Int32[np.ndarray, "mixture place"]:
        """An image by chance for each stream that is on: an index as `DigitMixtures` has it."""
        mixtures, streams = np.nonzero(pattern)  # in ascending order of streams in each mixture
        drawn = np.floor(chance.random(len(streams)) * self.sizes[streams]).astype(np.int32)
        counts = pattern.sum(axis=1)
        places = np.arange(len(streams)) - np.repeat(np.cumsum(counts) - counts, counts)
        index = np.full((len(pattern), max(int(counts.max(initial=0)), 1)), NOBODY, np.int32)
        index[mixtures, places] = self.starts[streams] + drawn
        return index


def draw_pattern(
    n_mixtures: int,
    n_streams: int,
    presence: float | Sequence[float],
    chance: np.random.Generator,
) -> Bool[np.ndarray, "mixture stream"]:
    """Which streams are on: each by itself with one chance, or by chances of 0, 1, 2 ... at once.

    >>> draw_pattern(2, 3, (0.0, 0.0, 0.0, 1.0), np.random.default_rng(0)).all()
    np.True_
    """
    drawn = chance.random((n_mixtures, n_streams))
    if not isinstance(presence, Sequence):
        return drawn < presence
    chances = np.asarray(presence, float)
    counts = chance.choice(len(chances), size=n_mixtures, p=chances / chances.sum())
    return drawn.argsort(axis=1).argsort(axis=1) < counts[:, None]


def as_floats(images: UInt8[np.ndarray, "*axes"]) -> Float32[np.ndarray, "*axes"]:
    """The images in 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


def sums(
    images: UInt8[np.ndarray, "image pixel"], index: Int32[np.ndarray, "mixture place"]
) -> Float32[np.ndarray, "mixture pixel"]:
    """The sum of each mixture's images, without noise."""
    total = np.zeros((len(index), images.shape[1]), np.float32)
    for place in range(index.shape[1]):
        rows = np.flatnonzero(index[:, place] != NOBODY)
        total[rows] += as_floats(images[index[rows, place]])
    return total


def laplace(
    shape: tuple[int, ...], scale: float, chance: np.random.Generator
) -> Float32[np.ndarray, "*axes"]:
    """Laplace noise of mean 0: the difference of two exponential draws, which are quick."""
    noise = chance.standard_exponential(shape, dtype=np.float32)
    noise -= chance.standard_exponential(shape, dtype=np.float32)
    noise *= np.float32(scale)
    return noise


def save_mixtures(
    path: Path,
    pool: ImagePool,
    index: Int32[np.ndarray, "mixture place"],
    pattern: Bool[np.ndarray, "mixture stream"],
    facts: dict[str, str],
) -> None:
    """Write a set of mixtures: of the pool's images only those that are in one.

    `facts` has `streams` (the glyphs, blanks between them), `noise_scale` and `noise_seed`.

    Raises:
        BadFile: the file cannot be written.
    """
    used = np.unique(index[index != NOBODY])
    anew = np.append(np.searchsorted(used, index), NOBODY)[:-1].reshape(index.shape)
    anew = np.where(index == NOBODY, NOBODY, anew).astype(np.int32)
    arrays = {"images": pool.images[used], "index": anew, "pattern": pattern}
    save_tensors(path, arrays, facts)


def read_mixtures(path: Path | str) -> DigitMixtures:
    """The set of mixtures that `diarize prepare digits` wrote, summed; noise is drawn by its seed.

    Raises:
        BadFile: there is no such file, or it is no such set.
    """
    arrays, facts = read_tensors(path, ("images", "index", "pattern"))
    images, index, pattern = (arrays[name] for name in ("images", "index", "pattern"))
    try:
        streams, scale = tuple(facts["streams"].split()), float(facts["noise_scale"])
        seed = int(facts["noise_seed"])
    except (KeyError, ValueError) as error:
        raise BadFile(f"{path}: no {error} in it; run diarize prepare again") from None
    on = index != NOBODY
    sound = index.shape[0] == len(pattern) and pattern.shape[1] == len(streams)
    if not sound or not (on.sum(1) == pattern.sum(1)).all() or (index >= len(images)).any():
        raise BadFile(f"{path}: its index and pattern do not agree; run diarize prepare again")
    mixtures = sums(images, index)
    if scale:
        mixtures += laplace(mixtures.shape, scale, generator_of(seed, "noise"))
    return DigitMixtures(mixtures, pattern, images, index, streams, scale)
