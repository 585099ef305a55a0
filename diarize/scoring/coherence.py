"""Whether views that were made show what they should, as a judge sees them.

Source: arXiv 2509.23548, its code: a classifier of each view says what is in generated images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from diarize.errors import BadCall
from diarize.scoring.bootstrap import Interval, ratio_interval


@dataclass(frozen=True)
class Coherence:
    """A share of things made, from 0 to 1, and its 95 % bootstrap interval (None for one alone)."""

    share: float
    interval: Interval | None
    n_made: int


def coherence(
    found: Int[np.ndarray, "datum ..."], wanted: Int[np.ndarray, " _datum"], seed: int = 0
) -> Coherence:
    """The share of images made for each datum that show what they should.

    Images of one datum belong together in the interval.

    >>> coherence(np.array([[1, 1], [2, 3]]), np.array([1, 2])).share
    0.75

    Raises:
        BadCall: nothing made, or not for as many data.
    """
    if not len(found) or len(found) != len(wanted):
        raise BadCall(f"{len(found)} data made, {len(wanted)} wanted; expected as many, and some")
    flat = found.reshape(len(found), -1)
    return _share((flat == wanted[:, None]).mean(1), seed, flat.size)


def agreement(found: Int[np.ndarray, "sample view"], seed: int = 0) -> Coherence:
    """The share of samples all of whose views show the same: unconditional coherence.

    >>> agreement(np.array([[3, 3, 3], [3, 3, 4]])).share
    0.5

    Raises:
        BadCall: no samples, or fewer than two views.
    """
    if not len(found) or found.shape[1] < 2:
        raise BadCall(
            f"{found.shape[0]} samples of {found.shape[1]} views; expected 1 and 2, or more"
        )
    return _share((found == found[:, :1]).all(1).astype(float), seed, len(found))


def chance_agreement(found: Int[np.ndarray, "sample view"]) -> float:
    """The share that would agree if each view showed what it does by itself.

    >>> chance_agreement(np.array([[0, 0], [1, 1]]))
    0.5
    """
    n_classes = int(found.max()) + 1
    shares: Float[np.ndarray, "view class"] = np.stack(
        [np.bincount(view, minlength=n_classes) / len(view) for view in found.T]
    )
    return float(shares.prod(0).sum())


def _share(each: Float[np.ndarray, " datum"], seed: int, n_made: int) -> Coherence:
    interval = ratio_interval(each, np.ones(len(each)), np.random.default_rng(seed))
    return Coherence(float(each.mean()), interval, n_made)
