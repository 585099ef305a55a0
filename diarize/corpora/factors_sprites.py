"""The five-factor toy set: a bar whose place, size, tilt and brightness are known exactly.

Each factor has `n_levels` values, evenly spaced; those of an image are drawn evenly, each factor by
itself, so that in the long run none says anything of another. The bar lies wholly in the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int64, UInt8

from diarize.config import at_least
from diarize.corpora.chance import generator_of
from diarize.corpora.factors import Factor, FactorImages, Part, prepared_of, save_sets

NAMES = ("x", "y", "size", "tilt", "brightness")
LENGTH = (0.14, 0.26)  # of half a bar, in sides of the image, for the smallest and the largest
FLATNESS = 0.42  # its width over its length
TILT_RAD = (-math.pi / 4, math.pi / 4)
BRIGHTNESS = (0.35, 1.0)
_MARGIN = 0.3  # of the centre from the edge: half the largest bar, and half a pixel
_CHUNK = 2000


@dataclass(frozen=True)
class SpriteSettings:
    """The `[data]` table of a conf whose corpus is bars of five known factors.

    Attributes:
        seed: of which levels each image has.
        side: pixels of an image.
        n_levels: values of each factor.
        n_train, n_dev, n_test: images to train on, to choose settings on, and to score by.
        batch: images of a batch.
        part: that is trained on.
    """

    corpus: Literal["sprites"] = "sprites"
    seed: int = 42
    side: int = 32
    n_levels: int = 16
    n_train: int = 40_000
    n_dev: int = 2_000
    n_test: int = 10_000
    batch: int = 128
    part: Part = "train"

    def __post_init__(self) -> None:
        at_least(self, seed=0, side=8, n_levels=2, n_train=1, n_dev=0, n_test=1, batch=1)

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        return prepared_of(self)


def prepare_sprites(folder: Path | str, settings: SpriteSettings) -> Path:
    """Draw all sets into `folder`; return the summary's path. The same settings, the same bytes.

    Raises:
        BadFile: the folder cannot be written.
    """
    counts = {"train": settings.n_train, "dev": settings.n_dev, "test": settings.n_test}
    sets = {part: sprites(count, part, settings) for part, count in counts.items()}
    return save_sets(Path(folder), sets, settings, {"factors": list(NAMES)})


def sprites(n_images: int, part: str, settings: SpriteSettings) -> FactorImages:
    """So many images of a part, of levels drawn by chance."""
    chance = generator_of(settings.seed, "sprites", part)
    levels = chance.integers(settings.n_levels, size=(n_images, len(NAMES)))
    factors = tuple(Factor(name, settings.n_levels) for name in NAMES)
    images = np.empty((n_images, settings.side**2), np.uint8)
    for start in range(0, n_images, _CHUNK):
        some = levels[start : start + _CHUNK]
        images[start : start + _CHUNK] = draw_bars(some, settings.n_levels, settings.side)
    return FactorImages(images, levels, factors)


def draw_bars(
    levels: Int64[np.ndarray, "image 5"], n_levels: int, side: int
) -> UInt8[np.ndarray, "image pixel"]:
    """A bar for each row of levels, of x, y, size, tilt and brightness; its edges are smooth.

    A pixel is as bright as the share of it that the bar covers, to a pixel's width of its edge.

    >>> lowest, highest = np.zeros((1, 5), np.int64), np.array([[0, 0, 0, 0, 3]])
    >>> int(draw_bars(highest, 4, 32).max()), int(draw_bars(lowest, 4, 32).max())
    (255, 89)
    """
    share = levels / (n_levels - 1)

    def between(column: int, ends: tuple[float, float]) -> np.ndarray:
        return np.asarray(ends[0] + share[:, column, None] * (ends[1] - ends[0]))

    middle = (np.arange(side) + 0.5) / side
    across, down = np.tile(middle, side), np.repeat(middle, side)
    place = (_MARGIN, 1 - _MARGIN)
    from_x, from_y = across - between(0, place), down - between(1, place)
    tilt, length = between(3, TILT_RAD), between(2, LENGTH)
    along = np.abs(from_x * np.cos(tilt) + from_y * np.sin(tilt)) - length
    aside = np.abs(from_y * np.cos(tilt) - from_x * np.sin(tilt)) - FLATNESS * length
    cover = np.clip(0.5 - side * along, 0, 1) * np.clip(0.5 - side * aside, 0, 1)
    return np.round(255 * between(4, BRIGHTNESS) * cover).astype(np.uint8)
