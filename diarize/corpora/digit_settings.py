"""The `[data]` table of a conf whose corpus is mixtures of digits."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from diarize.config import at_least, at_most
from diarize.corpora.distortion import Distortion
from diarize.corpora.letters import LETTERS
from diarize.corpora.mnist import N_CLASSES
from diarize.errors import BadCall

ON_THE_FLY = frozenset(  # the settings that change nothing of what is prepared
    (
        "mnist",
        "n_train_mixtures",
        "fixed_mixtures",
        "presence",
        "presence_by_count",
        "known_share",
        "known_by_count",
        "noise_scale",
        "augment_share",
        "augment",
        "expert_noise_share",
        "expert_batch",
        "mixture_batch",
    )
)


@dataclass(frozen=True)
class DigitSettings:
    """Which images there are, who may know their class, and how mixtures are made of them.

    A stream is a class: the digits of `classes` in ascending order, then `n_letters` printed
    letters (`corpora/letters`), of which `letter_images` each are made for training.

    Of each class' training images `dev_share` is kept out of all training, to choose settings on;
    of the rest, in an order of chance, the first `labelled_share` come with their labels, for the
    experts, and mixtures are made of the others. `reuse_labelled`: of all of them; so it always is
    when `labelled_share` is 1, for then there are no others.

    A mixture has each stream by itself with a chance of `presence`, or, where
    `presence_by_count` gives the chances of 0, 1, 2 ... streams, so many, whichever evenly; and
    Laplace noise of scale `noise_scale`. There are `n_train_mixtures` an epoch: the same in every
    epoch (`fixed_mixtures`, as in the paper; they take 3 kB of memory each), or new ones.

    Of each batch of mixtures a share `known_share` is made anew of the labelled images instead, and
    the model may know their pattern; `known_by_count` has the chances of their counts (empty: as
    the other mixtures). Their noise is of a scale of chance, up to `noise_scale`, for the sake of
    mixtures without noise.

    A share `augment_share` of labelled images is distorted by up to `augment`, and to a share
    `expert_noise_share` the noise of mixtures is added. Batches are of `expert_batch` images, of
    each class as many, and of `mixture_batch` mixtures. `mnist` is a folder to fetch MNIST from.

    Source: arXiv 2510.15669, whose generator and split are the defaults, except that it keeps
    nothing out for choosing settings and distorts nothing.
    """

    corpus: Literal["digits"] = "digits"
    mnist: Path | None = None
    seed: int = 42
    classes: tuple[int, ...] = tuple(range(N_CLASSES))
    n_letters: int = 0
    letter_images: int = 2000
    dev_share: float = 0.1
    labelled_share: float = 1.0
    reuse_labelled: bool = False
    n_test_mixtures: int = 5000
    test_counts: tuple[int, ...] = (2, 3, 4)
    n_train_mixtures: int = 50_000
    fixed_mixtures: bool = True
    presence: float = 0.1
    presence_by_count: tuple[float, ...] = ()
    known_share: float = 0.0
    known_by_count: tuple[float, ...] = ()
    noise_scale: float = 0.1
    augment_share: float = 0.5
    augment: Distortion = field(default_factory=Distortion)
    expert_noise_share: float = 0.0
    expert_batch: int = 500
    mixture_batch: int = 125

    def __post_init__(self) -> None:
        self._check_streams()
        self._check_shares()
        at_least(self, seed=0, letter_images=10, n_test_mixtures=1, mixture_batch=1, expert_batch=1)
        if self.n_train_mixtures < self.mixture_batch:
            raise BadCall(
                f"n_train_mixtures = {self.n_train_mixtures}; expected at least one batch of "
                f"{self.mixture_batch} (mixture_batch)"
            )
        if over := self.expert_batch % self.n_streams:
            raise BadCall(
                f"expert_batch = {self.expert_batch} with {self.n_streams} streams; expected a "
                f"multiple of that, such as {self.expert_batch - over + self.n_streams}"
            )

    @property
    def n_streams(self) -> int:
        """How many streams there are: the digits, then the letters."""
        return len(self.classes) + self.n_letters

    @property
    def streams(self) -> tuple[str, ...]:
        """The glyph of each stream."""
        return (*map(str, self.classes), *LETTERS[: self.n_letters])

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        settings = dataclasses.asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in settings.items()
            if name not in ON_THE_FLY
        }

    def _check_streams(self) -> None:
        if list(self.classes) != sorted(set(self.classes) & set(range(N_CLASSES))):
            raise BadCall(f"classes = {list(self.classes)}; expected digits in ascending order")
        if not 0 <= self.n_letters <= len(LETTERS):
            raise BadCall(f"n_letters = {self.n_letters}; expected 0 to {len(LETTERS)}")
        if not self.n_streams:
            raise BadCall("classes = [] and n_letters = 0; expected at least one stream")
        for count in self.test_counts:
            if not 0 <= count <= self.n_streams:
                raise BadCall(
                    f"test_counts has {count}; expected 0 to the {self.n_streams} streams"
                )
        if len(set(self.test_counts)) < len(self.test_counts):
            raise BadCall(f"test_counts = {list(self.test_counts)}; expected each once")

    def _check_shares(self) -> None:
        if not 0 < self.labelled_share <= 1:
            raise BadCall(f"labelled_share = {self.labelled_share}; expected over 0, up to 1")
        if not 0 <= self.dev_share < 1:
            raise BadCall(f"dev_share = {self.dev_share}; expected 0 or more, under 1")
        at_most(self, presence=1, known_share=1, augment_share=1, expert_noise_share=1)
        if not 0 <= self.noise_scale < math.inf:
            raise BadCall(f"noise_scale = {self.noise_scale}; expected 0 or more")
        for name in ("presence_by_count", "known_by_count"):
            self._check_chances(name, getattr(self, name))

    def _check_chances(self, name: str, chances: tuple[float, ...]) -> None:
        if not chances:
            return
        if not all(chance >= 0 for chance in chances) or abs(sum(chances) - 1) > 1e-6:
            raise BadCall(f"{name} = {list(chances)}; expected chances that add up to 1")
        if len(chances) > self.n_streams + 1:
            raise BadCall(
                f"{name} goes up to {len(chances) - 1} at once; there are {self.n_streams} streams"
            )
