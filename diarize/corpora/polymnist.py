"""PolyMNIST and PolyMNIST-Quadrant: prepared from MNIST, and what a datum looks like.

What is prepared are tables of indices (which image of MNIST, which quadrant, which crop of the
ground), some hundred bytes a datum; images are put together when they are read. In the folder:

    grounds.safetensors             the five grounds
    tuples_{train,dev,test}         images, digits, quadrants and crops of the data of each part
    summary.json                    settings, numbers, the sha256 of MNIST's files; written last
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch.nn import functional

from diarize.corpora.chance import generator_of
from diarize.corpora.mnist import Part as MnistPart
from diarize.corpora.mnist import content_hashes, read_mnist
from diarize.corpora.polymnist_grounds import SIDE, grounds
from diarize.corpora.polymnist_settings import N_QUADRANTS, N_VIEWS, PolymnistSettings
from diarize.corpora.prepared import begin, check_prepared, finish
from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadFile

PARTS = ("train", "dev", "test")
INK = 16  # what is above is of the digit
_SEED_OFFSETS = {"train": 0, "dev": 99, "test": 999}  # as the reference has them
_COLOURED = {0: (255, 0, 0), 4: (0, 0, 255)}  # with quadrants, digits of these views; others invert
_ARRAYS = ("image", "digit", "quadrant", "crop")
Name = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Tuples:
    """The data of one part, as indices.

    Attributes:
        image: of MNIST's part, for each view.
        digit: that all views show.
        quadrant: each view's own: 0 upper left, 1 upper right, 2 lower left, 3 lower right; zeros
            where digits stand all over the image.
        crop: row and column of each view's crop of its ground.
    """

    image: Int64[np.ndarray, "datum view"]
    digit: Int64[np.ndarray, " datum"]
    quadrant: Int64[np.ndarray, "datum view"]
    crop: Int64[np.ndarray, "datum view 2"]

    def __len__(self) -> int:
        return len(self.digit)


def prepare_polymnist(folder: Path | str, settings: PolymnistSettings) -> Path:
    """Prepare all parts in `folder`, where the files of MNIST lie; return the summary's path.

    The same settings and files make the same bytes.

    Raises:
        BadFile: MNIST is not there, not sound, or too small, or the folder cannot be written.
    """
    folder = Path(folder)
    made = {part: drawn_tuples(folder, part, settings) for part in PARTS}
    begin(folder)
    save_tensors(folder / "grounds.safetensors", {"grounds": grounds(settings.seed)})
    for part, tuples in made.items():
        arrays = {name: getattr(tuples, name).astype(np.int32) for name in _ARRAYS}
        save_tensors(folder / f"tuples_{part}.safetensors", arrays)
    counts = {part: len(tuples) for part, tuples in made.items()}
    return finish(folder, settings, data=counts, mnist_sha256=content_hashes(folder))


def drawn_tuples(folder: Path | str, part: str, settings: PolymnistSettings) -> Tuples:
    """The data of a part, drawn by chance that hangs on seed and part alone.

    Raises:
        BadFile: MNIST is not there, not sound, or too small.
    """
    labels = read_mnist(folder, _mnist_part(part)).labels
    first, count = _span(part, settings, len(labels), folder)
    labels = labels[first : first + count]
    chance = generator_of(settings.seed + _SEED_OFFSETS[part], "polymnist", part)
    rounds = settings.repetitions if part == "train" else 1
    images, digits = [], []
    for _ in range(rounds):
        views = [_by_class(labels, chance) for _ in range(N_VIEWS)]
        order = chance.permutation(len(labels))
        images.append(np.stack(views, 1)[order] + first)
        digits.append(np.sort(labels)[order])
    n_data = rounds * len(labels)
    n_quadrants = N_QUADRANTS if settings.quadrants else 1
    return Tuples(
        np.concatenate(images),
        np.concatenate(digits),
        chance.integers(n_quadrants, size=(n_data, N_VIEWS)),
        chance.integers(SIDE - settings.side + 1, size=(n_data, N_VIEWS, 2)),
    )


class PolymnistImages:
    """Images of the data of one prepared part, put together as they are asked for."""

    def __init__(self, folder: Path | str, part: str, settings: PolymnistSettings) -> None:
        """What was prepared in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others, or it is damaged.
        """
        folder = Path(folder)
        check_prepared(folder, settings)
        path = folder / f"tuples_{part}.safetensors"
        arrays, _ = read_tensors(path, _ARRAYS)
        self.tuples = Tuples(**{name: one.astype(np.int64) for name, one in arrays.items()})
        self.quadrants, self.side = settings.quadrants, settings.side
        self.n_views = settings.n_views
        self.labels: dict[str, int] = settings.labels
        self.image_shape: tuple[int, int] | None = (3, settings.side)
        found, _ = read_tensors(folder / "grounds.safetensors", ("grounds",))
        self.grounds = found["grounds"]
        digits = read_mnist(folder, _mnist_part(part)).images
        if int(self.tuples.image.max()) >= len(digits):
            raise BadFile(f"{path}: names images that MNIST has not; run diarize prepare again")
        self._ink = _resized(digits, settings.digit_side)

    def __len__(self) -> int:
        return len(self.tuples)

    def images(
        self, chosen: Int64[np.ndarray, " chosen"]
    ) -> UInt8[np.ndarray, "chosen view 3 row column"]:
        """The views of these data; red, green, blue from 0 to 255."""
        made = np.empty((len(chosen), self.n_views, 3, self.side, self.side), np.uint8)
        for view in range(self.n_views):
            windows = np.lib.stride_tricks.sliding_window_view(
                self.grounds[view], (self.side, self.side), axis=(0, 1)
            )
            crop = self.tuples.crop[chosen, view]
            ground = windows[crop[:, 0], crop[:, 1]]
            ink = self._placed(self.tuples.image[chosen, view], self.tuples.quadrant[chosen, view])
            if self.quadrants and view in _COLOURED:
                under = np.array(_COLOURED[view], np.uint8)[None, :, None, None]
            else:
                under = 255 - ground
            made[:, view] = np.where(ink[:, None], under, ground)
        return made

    def values(self, chosen: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen value"]:
        """The same as a model takes it: 0 to 1, the views one after the other."""
        return self.images(chosen).reshape(len(chosen), -1).astype(np.float32) / 255

    def truths(self, chosen: Int64[np.ndarray, " chosen"]) -> Int64[np.ndarray, "chosen column"]:
        """The digit, then the quadrant of each view where there are quadrants."""
        digit = self.tuples.digit[chosen, None]
        if not self.quadrants:
            return digit
        return np.concatenate([digit, self.tuples.quadrant[chosen, : self.n_views]], axis=1)

    def _placed(
        self, image: Int64[np.ndarray, " chosen"], quadrant: Int64[np.ndarray, " chosen"]
    ) -> Bool[np.ndarray, "chosen row column"]:
        """Where the digits' ink is."""
        ink = self._ink[image]
        if not self.quadrants:
            return ink
        half = self.side // 2
        placed = np.zeros((len(image), self.side, self.side), bool)
        for number in range(N_QUADRANTS):
            here = quadrant == number
            row, column = half * (number // 2), half * (number % 2)
            placed[here, row : row + half, column : column + half] = ink[here]
        return placed


def as_views(values: Any, settings: PolymnistSettings) -> Any:
    """The same values as images, (datum, view, 3, row, column)."""
    return values.reshape(len(values), settings.n_views, 3, settings.side, settings.side)


def _by_class(
    labels: Int64[np.ndarray, " image"], chance: np.random.Generator
) -> Int64[np.ndarray, " image"]:
    """Images class after class, in an order of chance within each."""
    shuffled = chance.permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def _span(
    part: str, settings: PolymnistSettings, n_there: int, folder: Path | str
) -> tuple[int, int]:
    """The first image of a part, and how many there are."""
    wanted = {"train": settings.n_images, "dev": settings.n_dev, "test": settings.n_test}[part]
    least = wanted if part == "test" else settings.n_images + settings.n_dev
    if least > n_there:
        raise BadFile(
            f"{folder}: MNIST's {_mnist_part(part)} part has {n_there} images; {least} are wanted "
            "(n_images, n_dev, n_test)"
        )
    return (n_there - wanted if part == "dev" else 0), wanted


def _mnist_part(part: str) -> MnistPart:
    return "t10k" if part == "test" else "train"


def _resized(
    images: UInt8[np.ndarray, "image 28 28"], side: int
) -> Bool[np.ndarray, "image row column"]:
    """Where the ink of each digit is, at another size."""
    made = np.empty((len(images), side, side), bool)
    for start in range(0, len(images), 5000):
        some = torch.from_numpy(images[start : start + 5000].astype(np.float32))[:, None]
        sized = functional.interpolate(some, (side, side), mode="bilinear", antialias=True)
        made[start : start + 5000] = (sized[:, 0] > INK).numpy()
    return made
