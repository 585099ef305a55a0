"""Distributions fitted to what was measured of turns: lengths, pauses, shares of the floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

LEAST, MOST = 0.1, 100.0  # a concentration beyond these cannot be told from them
ITERATIONS = 50
LARGEST_SHARE = 0.8  # nobody who always gives the floor away can have more than half of the turns


def log_normal(lengths_s: Float[np.ndarray, " turn"]) -> tuple[float, float]:
    """The median, and the spread of the natural logarithm, of greatest likelihood; of nothing 0, 0.

    >>> log_normal(np.array([1.0, 4.0]))
    (2.0, 0.6931471805599453)
    """
    if not len(lengths_s):
        return 0.0, 0.0
    logs = np.log(lengths_s)
    return float(np.exp(logs.mean())), float(logs.std())


def exponential_mean_s(pauses_s: Float[np.ndarray, " pause"]) -> float:
    """The mean of the exponential distribution with the same median; of nothing 0.

    A few very long pauses do not move it, as they do the mean itself.
    """
    return float(np.median(pauses_s) / np.log(2)) if len(pauses_s) else 0.0


def following_weights(turns: Int[np.ndarray, " speaker"]) -> Float[np.ndarray, " speaker"]:
    """Weights by which each next speaker is drawn, so that turns come out in these numbers.

    Nobody follows himself in the drawing, so a weight of p takes a share that goes as p (1 - p).

    >>> following_weights(np.array([25, 21, 16])).round(3).tolist()
    [0.5, 0.3, 0.2]
    """
    shares = turns / turns.sum()
    weights = shares.copy()
    for _ in range(ITERATIONS):
        weights = shares / (1 - np.minimum(weights, LARGEST_SHARE))
        weights /= weights.sum()
    return weights


def concentration(weights: Sequence[Float[np.ndarray, " _speaker"]]) -> float:
    """The concentration of the symmetric Dirichlet distribution they come from, by moments.

    For n speakers and a concentration of a, the mean sum of squares is (a + 1) / (n a + 1).
    Of nothing it is the greatest: everybody alike.
    """
    if not weights:
        return MOST
    number = float(np.mean([len(one) for one in weights]))
    square = float(np.mean([np.square(one).sum() for one in weights]))
    return float(np.clip((1 - square) / max(number * square - 1, 1e-6), LEAST, MOST))
