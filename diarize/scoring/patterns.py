"""How right it is which streams are on: exact patterns, each class, and how many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from diarize.errors import BadCall
from diarize.scoring.bootstrap import Interval

_NORMAL_95 = 1.959963984540054  # the normal deviate that 2.5 % exceed


@dataclass(frozen=True)
class Share:
    """How many of `n` are right."""

    n_right: int
    n: int

    @property
    def rate(self) -> float:
        """The share that is right, 0 to 1; NaN of none."""
        return self.n_right / self.n if self.n else math.nan

    @property
    def interval(self) -> Interval | None:
        """The 95 % Wilson interval of the rate; None of none.

        Source: Wilson, "Probable inference, the law of succession, and statistical inference",
        1927. Unlike the bootstrap it has a width where all are right.

        >>> Share(10, 10).interval
        Interval(low=0.722..., high=1.0)
        """
        if not self.n:
            return None
        doubt = _NORMAL_95**2 / self.n
        centre = (self.rate + doubt / 2) / (1 + doubt)
        half = math.sqrt(self.rate * (1 - self.rate) * doubt + doubt**2 / 4) / (1 + doubt)
        low = centre - half if self.n_right else 0.0
        high = centre + half if self.n_right < self.n else 1.0
        return Interval(low, high)


@dataclass(frozen=True)
class ClassScore:
    """One class over all mixtures: how often it is there, is said to be, and both."""

    name: str
    n_true: int
    n_found: int
    n_both: int

    @property
    def precision(self) -> float:
        """The share of those found that are there, 0 to 1; NaN where none was found."""
        return self.n_both / self.n_found if self.n_found else math.nan

    @property
    def recall(self) -> float:
        """The share of those there that are found, 0 to 1; NaN where none is there."""
        return self.n_both / self.n_true if self.n_true else math.nan

    @property
    def f1(self) -> float:
        """The harmonic mean of both, 0 to 1; NaN where none is there and none was found."""
        total = self.n_true + self.n_found
        return 2 * self.n_both / total if total else math.nan


@dataclass(frozen=True)
class PatternScores:
    """How right the patterns of all mixtures are.

    Attributes:
        exact: mixtures whose whole pattern is right.
        count: mixtures with the right number of streams on.
        exact_of: the same as `exact`, of the mixtures with so many streams truly on.
        classes: each class by itself.
        count_confusion: mixtures by how many streams are truly on, then by how many were found.
    """

    exact: Share
    count: Share
    exact_of: dict[int, Share]
    classes: tuple[ClassScore, ...]
    count_confusion: tuple[tuple[int, ...], ...]

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that are there or were found; NaN where there are none."""
        known = [one.f1 for one in self.classes if not math.isnan(one.f1)]
        return sum(known) / len(known) if known else math.nan

    @property
    def micro_f1(self) -> float:
        """F1 over all classes together; NaN where nothing is there and nothing was found."""
        parts = [(one.n_true, one.n_found, one.n_both) for one in self.classes]
        return ClassScore("all", *map(sum, zip(*parts, strict=True))).f1


def score_patterns(
    found: Bool[np.ndarray, "mixture stream"],
    true: Bool[np.ndarray, "*_true"],
    names: Sequence[str] | None = None,
) -> PatternScores:
    """Return how right the patterns are; `names` are the classes', else their numbers from 0.

    Raises:
        BadCall: no patterns, unequal shapes, or as many names as there are not streams.

    >>> scores = score_patterns(np.eye(2, dtype=bool), np.array([[True, False], [True, True]]))
    >>> scores.exact.rate, scores.count.rate, scores.classes[0].recall
    (0.5, 0.5, 0.5)
    """
    if found.shape != true.shape or found.ndim != 2:
        raise BadCall(
            f"found patterns of shape {found.shape} for true ones of shape {true.shape}; "
            "expected the same, mixture by stream"
        )
    if not found.size:
        raise BadCall(f"found no patterns (shape {found.shape}); there must be one to score")
    n_streams = found.shape[1]
    names = [str(index) for index in range(n_streams)] if names is None else list(names)
    if len(names) != n_streams:
        raise BadCall(f"found {len(names)} names of classes for {n_streams} streams")
    both, right = found & true, (found == true).all(axis=1)
    n_found, n_true = found.sum(axis=1), true.sum(axis=1)
    confusion = np.zeros((int(n_true.max()) + 1, int(max(n_true.max(), n_found.max())) + 1), int)
    np.add.at(confusion, (n_true, n_found), 1)
    sums = zip(names, *(one.sum(axis=0).tolist() for one in (true, found, both)), strict=True)
    return PatternScores(
        exact=_share(right),
        count=_share(n_found == n_true),
        exact_of={int(count): _share(right[n_true == count]) for count in np.unique(n_true)},
        classes=tuple(ClassScore(*row) for row in sums),
        count_confusion=tuple(map(tuple, confusion.tolist())),
    )


def score_classes(
    probabilities: Float[np.ndarray, "image class"], true: Int[np.ndarray, " _"]
) -> Share:
    """Return how often the most probable class of an image is the true one.

    Raises:
        BadCall: no images, as many classes as there are not images, values that are no numbers,
            or a true class that is none of them.
    """
    n_images, n_classes = probabilities.shape
    if len(true) != n_images or not n_images:
        raise BadCall(f"found {len(true)} true classes for {n_images} images; expected one each")
    if not np.isfinite(probabilities).all():
        raise BadCall("the probabilities have values that are NaN or infinite")
    if true.min() < 0 or true.max() >= n_classes:
        raise BadCall(
            f"true classes go {true.min()} to {true.max()}; expected 0 to {n_classes - 1}"
        )
    return _share(probabilities.argmax(axis=1) == true)


def _share(right: Bool[np.ndarray, " _"]) -> Share:
    return Share(int(right.sum()), len(right))
