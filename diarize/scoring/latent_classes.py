"""What can be read off latents: the accuracy of a linear classifier on them, and that of chance.

Source: arXiv 2509.23548, its code: logistic regression (lbfgs, at most 1,000 steps) on posterior
means of some training data, tried on others.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from diarize.errors import BadCall
from diarize.scoring.bootstrap import Interval, ratio_interval

MOST_STEPS = 1000


@dataclass(frozen=True)
class ClassReading:
    """How well a class can be told from latents.

    Attributes:
        accuracy: share of the test data told right.
        interval: of it, 95 %, by bootstrap over the data; None for a single datum.
        chance: share told right by always saying the commonest class of the training data.
        n_test: test data with a known class.
    """

    accuracy: float
    interval: Interval | None
    chance: float
    n_test: int


def read_classes(
    train: Float[np.ndarray, "datum latent"],
    train_classes: Int[np.ndarray, " datum"],
    test: Float[np.ndarray, "other latent"],
    test_classes: Int[np.ndarray, " other"],
    seed: int = 0,
) -> ClassReading | None:
    """How well test data are told by a classifier of training data; None where no class is known.

    Data of class -1 are left out: their class is not known.

    Raises:
        BadCall: training data of fewer than two classes, or latents that are no numbers.
    """
    return _reading([train], train_classes, [test], test_classes, seed)


def read_together(
    train: Sequence[Float[np.ndarray, "datum _latent"]],
    train_classes: Int[np.ndarray, " datum"],
    test: Sequence[Float[np.ndarray, "other _latent"]],
    test_classes: Int[np.ndarray, " other"],
    seed: int = 0,
) -> ClassReading | None:
    """How well test data are told by several views: a classifier each, probabilities averaged.

    Latents are standardised by the training data. Data of class -1 are left out.

    Raises:
        BadCall: as `read_classes`.
    """
    return _reading(train, train_classes, test, test_classes, seed, standardise=True)


def probabilities(
    train: Float[np.ndarray, "datum latent"],
    train_classes: Int[np.ndarray, " datum"],
    test: Float[np.ndarray, "other latent"],
    *,
    standardise: bool = False,
) -> Float[np.ndarray, "other class"]:
    """What a classifier of training data says of others: a column for each class, in their order.

    With `standardise`, latents are shifted and scaled by the training data's means and deviations.

    Raises:
        BadCall: training data of fewer than two classes, or latents that are no numbers.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if not (np.isfinite(train).all() and np.isfinite(test).all()):
        raise BadCall("latents that are NaN or infinite; what they tell cannot be read")
    n_classes = len(np.unique(train_classes))
    if n_classes < 2:
        raise BadCall(f"training data of {n_classes} class; two or more are needed to tell apart")
    if standardise:
        middle, spread = train.mean(0), train.std(0)
        spread = np.where(spread > 0, spread, 1.0)
        train, test = (train - middle) / spread, (test - middle) / spread
    classifier = LogisticRegression(max_iter=MOST_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as many steps as the protocol has
        classifier.fit(train, train_classes)
    found: np.ndarray = classifier.predict_proba(test)
    return found


def _reading(
    train: Sequence[np.ndarray],
    train_classes: np.ndarray,
    test: Sequence[np.ndarray],
    test_classes: np.ndarray,
    seed: int,
    *,
    standardise: bool = False,
) -> ClassReading | None:
    known, others = train_classes >= 0, test_classes >= 0
    if not known.any() or not others.any():
        return None
    classes, counts = np.unique(train_classes[known], return_counts=True)
    said = np.mean(
        [
            probabilities(one[known], train_classes[known], other[others], standardise=standardise)
            for one, other in zip(train, test, strict=True)
        ],
        axis=0,
    )
    truth = test_classes[others]
    right = (classes[said.argmax(1)] == truth).astype(float)
    chance = float((truth == classes[counts.argmax()]).mean())
    interval = ratio_interval(right, np.ones(len(right)), np.random.default_rng(seed))
    return ClassReading(float(right.mean()), interval, chance, len(right))
