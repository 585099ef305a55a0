"""The `[data]` table of a conf whose corpus is PolyMNIST."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from diarize.errors import BadCall

N_VIEWS = 5
N_QUADRANTS = 4
MNIST_TRAIN, MNIST_TEST = 60_000, 10_000
ON_THE_FLY = frozenset(
    ("mnist", "batch", "part", "missing_share", "n_views")
)  # changes nothing prepared


@dataclass(frozen=True)
class PolymnistSettings:
    """Digits of one class on five grounds, in a quadrant each; or, as PolyMNIST has it, as large.

    A datum is five RGB images of `side` pixels. In each, another handwritten image of the same
    digit stands on a crop, drawn by chance, of that view's ground: in one of four quadrants, drawn
    for each view by itself (`quadrants`), or all over the image. The digit is what the views
    share, the quadrant is each view's own.

    Of MNIST's training images, in their order, the first `n_images` are for training, the last
    `n_dev` for choosing settings; of its test images the first `n_test` for testing. Each is in
    every view once (`repetitions` times in training), so that there are as many data as images,
    times `repetitions`. No image, and so no datum, is of two parts.

    `side` and `digit_side` of 32 and 16 make an easier, smaller corpus, and so do fewer views: of
    the five, the first `n_views` are handed out. `part` is what a supply
    hands out; of its data, each view is missing by itself in a share `missing_share`, but never all
    of a datum. `mnist` is a folder to fetch MNIST from.

    Source: arXiv 2509.23548 (PolyMNIST-Quadrant), whose sizes and seed are the defaults; with
    quadrants off, T. Sutter and others, 2021 (arXiv 2105.02470).
    """

    corpus: Literal["polymnist"] = "polymnist"
    mnist: Path | None = None
    seed: int = 123
    quadrants: bool = True
    side: int = 64
    digit_side: int = 32
    n_images: int = 55_000
    repetitions: int = 4
    n_dev: int = 5_000
    n_test: int = 10_000
    part: Literal["train", "dev", "test"] = "train"
    batch: int = 128
    n_views: int = N_VIEWS
    missing_share: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (
            ("seed", 0),
            ("n_images", 1),
            ("repetitions", 1),
            ("n_dev", 1),
            ("n_test", 1),
            ("batch", 2),
            ("digit_side", 8),
        ):
            if getattr(self, name) < least:
                raise BadCall(f"{name} = {getattr(self, name)}; expected {least} or more")
        if not 2 <= self.n_views <= N_VIEWS:
            raise BadCall(f"n_views = {self.n_views}; expected 2 to {N_VIEWS}")
        if self.n_images + self.n_dev > MNIST_TRAIN:
            raise BadCall(
                f"n_images = {self.n_images} and n_dev = {self.n_dev}; expected at most "
                f"{MNIST_TRAIN} together, or an image would be of two parts"
            )
        if self.n_test > MNIST_TEST:
            raise BadCall(f"n_test = {self.n_test}; expected at most {MNIST_TEST}")
        wanted = 2 * self.digit_side if self.quadrants else self.digit_side
        if self.side != wanted:
            raise BadCall(
                f"side = {self.side} for digits of {self.digit_side} pixels; expected {wanted}"
            )
        if not 0 <= self.missing_share < 1:
            raise BadCall(f"missing_share = {self.missing_share}; expected 0 or more, under 1")

    @property
    def labels(self) -> dict[str, int]:
        """What is asked of a view, and how many answers there are; the first is shared by all."""
        return {"digit": 10} | ({"quadrant": N_QUADRANTS} if self.quadrants else {})

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        settings = dataclasses.asdict(self)
        return {name: value for name, value in settings.items() if name not in ON_THE_FLY}
