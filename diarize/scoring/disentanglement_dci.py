"""DCI: disentanglement, completeness and informativeness, by how trees use latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from diarize.errors import BadCall

N_TREES, LEAF = 30, 5
_NOTHING = 1e-11


@dataclass(frozen=True)
class Dci:
    """Scores from 0 to 1.

    Attributes:
        disentanglement: whether each latent is used for one factor, latents weighed by their use.
        completeness: whether each factor uses one latent, the mean over factors, weighed alike.
        informativeness: the mean over factors of what can be told of them, on images held out: the
            share that is right of classes, R^2 (0 at least) of ordered factors.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def dci(
    latents: Float[np.ndarray, "image latent"],
    levels: Int[np.ndarray, "*_levels"],
    is_ordered: tuple[bool, ...],
    seed: int = 0,
) -> Dci:
    """DCI with the importances of random forests, learned on half of the images.

    Raises:
        BadCall: shapes that do not fit, or fewer than ten images.

    Source: C. Eastwood and C. Williams, "A framework for the quantitative evaluation of
    disentangled representations", 2018. disentanglement_lib takes boosted trees instead.
    """
    if len(latents) != len(levels) or len(latents) < 10 or levels.shape[1] != len(is_ordered):
        raise BadCall(
            f"{latents.shape} latents, {levels.shape} levels of {len(is_ordered)} factors; "
            "a row an image in both, ten at least, would be right"
        )
    order = np.random.default_rng(seed).permutation(len(latents))
    learned, tested = np.array_split(order, 2)
    columns, told = [], []
    for factor, ordered in zip(levels.T, is_ordered, strict=True):
        use, right = _learn(latents, factor, ordered, (learned, tested), seed)
        columns.append(use)
        told.append(right)
    importance = np.stack(columns, axis=1)
    return Dci(disentanglement(importance), completeness(importance), float(np.mean(told)))


def disentanglement(importance: Float[np.ndarray, "latent factor"]) -> float:
    """One minus the entropy of what each latent is used for, weighed by its use.

    >>> disentanglement(np.eye(3)), round(disentanglement(np.ones((2, 2))), 6)
    (1.0, 0.0)
    """
    use = importance.sum(axis=1)
    return _certain(importance, use)


def completeness(importance: Float[np.ndarray, "latent factor"]) -> float:
    """One minus the entropy of which latents each factor uses, weighed by its use of any.

    >>> completeness(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])) < 1.0
    True
    """
    return _certain(importance.T, importance.sum(axis=0))


def _certain(rows: Float[np.ndarray, "row column"], weight: Float[np.ndarray, " row"]) -> float:
    n_columns = rows.shape[1]
    if n_columns < 2 or not weight.sum():
        return 1.0 if weight.sum() else 0.0
    share = (rows + _NOTHING) / (rows + _NOTHING).sum(axis=1, keepdims=True)
    entropy = -(share * np.log(share)).sum(axis=1) / np.log(n_columns)
    return round(float(((1 - entropy) * weight).sum() / weight.sum()), 9)


def _learn(
    latents: np.ndarray,
    factor: np.ndarray,
    is_ordered: bool,
    halves: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> tuple[np.ndarray, float]:
    """How much trees use each latent to tell a factor, and how well they do."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if is_ordered else RandomForestClassifier
    forest = kind(N_TREES, min_samples_leaf=LEAF, max_features=1.0, random_state=seed)
    learned, tested = halves
    forest.fit(latents[learned], factor[learned])
    right = float(forest.score(latents[tested], factor[tested]))
    return np.asarray(forest.feature_importances_, float), max(0.0, right)
