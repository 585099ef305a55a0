"""MNIST's digits one an image, with their class as the only factor that is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from diarize.config import at_least
from diarize.corpora.chance import generator_of
from diarize.corpora.factors import Factor, FactorImages, Part, prepared_of, save_sets
from diarize.corpora.mnist import N_CLASSES, Digits, content_hashes, read_mnist
from diarize.errors import BadCall, BadFile


@dataclass(frozen=True)
class MnistImageSettings:
    """The `[data]` table of a conf whose corpus is single digits, without labels.

    Attributes:
        seed: of which training images are kept out, and of the order of all.
        dev_share: of the training images that are kept out, to choose settings on.
        n_most: images of each part that are taken; 0 takes all.
        batch: images of a batch.
        part: that is trained on.
    """

    corpus: Literal["mnist_images"] = "mnist_images"
    seed: int = 42
    dev_share: float = 0.05
    n_most: int = 0
    batch: int = 128
    part: Part = "train"

    def __post_init__(self) -> None:
        at_least(self, seed=0, n_most=0, batch=1)
        if not 0 <= self.dev_share < 1:
            raise BadCall(f"dev_share = {self.dev_share}; expected 0 or more, under 1")

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        return prepared_of(self)


def prepare_mnist_images(folder: Path | str, settings: MnistImageSettings) -> Path:
    """Make sets of the files of MNIST in `folder`; return the summary's path.

    Test images are those of MNIST's own test part, in its order.

    Raises:
        BadFile: MNIST is not there or not sound, or the folder cannot be written.
    """
    folder = Path(folder)
    train, test = read_mnist(folder, "train"), read_mnist(folder, "t10k")
    order = generator_of(settings.seed, "mnist_images").permutation(len(train))
    n_dev = int(settings.dev_share * len(train))
    places = {"train": order[n_dev:], "dev": order[:n_dev]}
    if not len(places["train"]) or not len(test):
        raise BadFile(f"{folder}: {len(train)} training and {len(test)} test images; both need one")
    sets = {part: _taken(train, place, settings.n_most) for part, place in places.items()}
    sets["test"] = _taken(test, np.arange(len(test)), settings.n_most)
    return save_sets(folder, sets, settings, {"mnist_sha256": content_hashes(folder)})


def _taken(digits: Digits, place: np.ndarray, n_most: int) -> FactorImages:
    place = place[:n_most] if n_most else place
    images = digits.images[place].reshape(len(place), -1)
    factors = (Factor("digit", N_CLASSES, is_ordered=False),)
    return FactorImages(images, digits.labels[place, None], factors)
