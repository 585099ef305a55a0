"""How far two sets are apart, as normal distributions of some embedding of theirs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall


def frechet_distance(
    some: Float[np.ndarray, "some dimension"], others: Float[np.ndarray, "others _dimension"]
) -> float:
    """The squared Fréchet distance of the normal distributions that two sets would be drawn from.

    In squared units of the embedding, which whoever tells of the number must name: that of
    Inception makes it an FID. It depends on how many data there are, too: fewer raise it.

    Raises:
        BadCall: embeddings of unequal length, fewer than two data, or values that are no numbers.

    Source: M. Heusel and others, "GANs trained by a two time-scale update rule", 2017 (arXiv
    1706.08500), equation 6.

    >>> square = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    >>> round(frechet_distance(square, square + 3), 6), round(frechet_distance(square, square), 6)
    (18.0, 0.0)
    """
    if some.shape[1] != others.shape[1]:
        raise BadCall(
            f"embeddings of {some.shape[1]} and of {others.shape[1]} dimensions; the same in both "
            "would be right"
        )
    if min(len(some), len(others)) < 2:
        raise BadCall(f"{len(some)} and {len(others)} embeddings; two of each at least are needed")
    if not (np.isfinite(some).all() and np.isfinite(others).all()):
        raise BadCall("embeddings with values that are NaN or infinite")
    one, other = (np.cov(values.astype(float), rowvar=False, ddof=1) for values in (some, others))
    one, other = np.atleast_2d(one), np.atleast_2d(other)
    apart = np.square(some.mean(axis=0, dtype=float) - others.mean(axis=0, dtype=float)).sum()
    root = _root(one)
    shared = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(min=0)).sum()
    return max(0.0, float(apart + np.trace(one) + np.trace(other) - 2 * shared))


def _root(covariance: Float[np.ndarray, "dimension _"]) -> Float[np.ndarray, "dimension _"]:
    """The symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(values.clip(min=0)) @ vectors.T)
