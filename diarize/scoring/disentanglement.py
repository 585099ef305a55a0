"""Whether each latent is of one factor, and each factor in one latent: TAD and MIG.

Both are of many images at once: a matrix of latents, and what is true of each image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from diarize.errors import BadCall

CAUGHT = 0.75  # AUROC from which an attribute is captured by a latent
SHARED = 0.2  # of an attribute's entropy that another attribute may tell at most
N_FOLDS = 5
N_BINS = 20


@dataclass(frozen=True)
class AurocDifference:
    """Total AUROC difference, mean and standard deviation over folds.

    TAD is a sum over captured attributes: more of them raise it, so that it compares only where
    images, attributes and folds are the same.
    """

    tad: float
    tad_deviation: float
    n_captured: float
    n_captured_deviation: float


@dataclass(frozen=True)
class InformationGap:
    """Mutual information gap, 0 to 1: the mean over factors, and each."""

    mig: float
    of_factor: tuple[float, ...]


def total_auroc_difference(
    latents: Float[np.ndarray, "image latent"],
    attributes: Bool[np.ndarray, "*_attributes"],
    seed: int = 0,
) -> AurocDifference:
    """How much better the best latent tells each attribute than the second best, summed.

    Images are shuffled and shared out into five folds; each score is of the images outside of one.
    An attribute counts if its best latent's AUROC, either way up, is at least .75, and no other
    attribute tells more than a fifth of its entropy. With one latent the second best counts 0.
    Standardising the latents, as the reference does, changes no AUROC and is left out. An attribute
    that all images have, or none, never counts (the reference stops there).

    Raises:
        BadCall: shapes that do not fit, fewer than ten images, or values that are no numbers.

    Source: E. Yeats and others, "NashAE", 2022 (arXiv 2209.10677); steps and thresholds are those
    of InfoDiffusion's evaluation (arXiv 2306.08757).
    """
    _check(latents, attributes)
    n_images = len(latents)
    order = np.arange(n_images)
    # the split of sklearn's KFold(5, shuffle=True, random_state=0), which the reference takes
    np.random.RandomState(seed).shuffle(order)
    found = []
    for fold in np.array_split(order, N_FOLDS):
        kept = np.ones(n_images, bool)
        kept[fold] = False
        found.append(_auroc_difference(latents[kept], attributes[kept]))
    tads, counts = np.array(found, float).T
    return AurocDifference(
        float(tads.mean()), float(tads.std()), float(counts.mean()), float(counts.std())
    )


def aurocs(
    latents: Float[np.ndarray, "image latent"], attributes: Bool[np.ndarray, "image attribute"]
) -> Float[np.ndarray, "attribute latent"]:
    """The area under the ROC curve of each latent as a detector of each attribute, ties by half.

    As of the latent or of its negative, whichever is larger; 0.5 of an attribute that all images
    have, or none.

    >>> aurocs(np.array([[1.0], [2.0], [3.0]]), np.array([[True], [False], [False]])).tolist()
    [[1.0]]
    """
    from scipy.stats import rankdata

    ranks = rankdata(latents, axis=0)
    n_on = attributes.sum(axis=0, dtype=float)[:, None]
    n_pairs = n_on * (len(attributes) - n_on)
    above = attributes.astype(float).T @ ranks - n_on * (n_on + 1) / 2
    area = np.divide(above, n_pairs, out=np.full_like(above, 0.5), where=n_pairs > 0)
    return np.asarray(np.maximum(area, 1 - area))


def mutual_information_gap(
    latents: Float[np.ndarray, "image latent"],
    levels: Int[np.ndarray, "*_levels"],
    n_bins: int = N_BINS,
) -> InformationGap:
    """How much more the best latent knows of each factor than the second best, over its entropy.

    Latents are put into `n_bins` bins of equal width. A factor that never changes counts 0. With
    one latent the second best counts 0.

    Raises:
        BadCall: shapes that do not fit, fewer than ten images, or values that are no numbers.

    Source: T. Chen and others, "Isolating sources of disentanglement in VAEs", 2018 (arXiv
    1802.04942), equation 6; the bins are those of disentanglement_lib.
    """
    _check(latents, levels)
    binned = np.stack([_binned(column, n_bins) for column in latents.T], axis=1)
    gaps = []
    for factor in levels.T:
        entropy = mutual_information(factor, factor)
        known = sorted((mutual_information(column, factor) for column in binned.T), reverse=True)
        second = known[1] if len(known) > 1 else 0.0
        gaps.append((known[0] - second) / entropy if entropy > 0 else 0.0)
    return InformationGap(float(np.mean(gaps)), tuple(gaps))


def mutual_information(one: Int[np.ndarray, " image"], other: Int[np.ndarray, " image"]) -> float:
    """What two columns of whole numbers from 0 tell of one another, in nats; of itself, entropy.

    >>> four = np.array([0, 0, 1, 1])
    >>> round(mutual_information(four, four), 6)
    0.693147
    """
    joint = np.zeros((int(one.max()) + 1, int(other.max()) + 1))
    np.add.at(joint, (one, other), 1 / len(one))
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return max(0.0, float((joint[there] * np.log(joint[there] / apart[there])).sum()))


def _auroc_difference(
    latents: Float[np.ndarray, "image latent"], attributes: Bool[np.ndarray, "image attribute"]
) -> tuple[float, int]:
    found = aurocs(latents, attributes)
    ordered = np.sort(found, axis=1)
    second = ordered[:, -2] if latents.shape[1] > 1 else np.zeros(len(found))
    difference = ordered[:, -1] - second
    counts = (ordered[:, -1] >= CAUGHT) & (_shared(attributes) <= SHARED)
    return float(difference[counts].sum()), int(counts.sum())


def _shared(attributes: Bool[np.ndarray, "image attribute"]) -> Float[np.ndarray, " attribute"]:
    """Which part of its entropy each attribute shares with the one that tells most of it."""
    columns = attributes.T.astype(np.int64)
    told = np.array([[mutual_information(one, other) for other in columns] for one in columns])
    entropy = told.diagonal().copy()
    np.fill_diagonal(told, 0)
    return np.divide(told.max(axis=1), entropy, out=np.ones_like(entropy), where=entropy > 0)


def _binned(values: Float[np.ndarray, " image"], n_bins: int) -> Int[np.ndarray, " image"]:
    edges = np.histogram(values, n_bins)[1]
    return np.digitize(values, edges[1:-1])


def _check(latents: np.ndarray, told: np.ndarray) -> None:
    if latents.ndim != 2 or told.ndim != 2 or len(latents) != len(told):
        raise BadCall(
            f"latents of shape {latents.shape} for truth of shape {told.shape}; "
            "a row an image in both would be right"
        )
    if len(latents) < 2 * N_FOLDS or not latents.shape[1] or not told.shape[1]:
        raise BadCall(
            f"{len(latents)} images of {latents.shape[1]} latents and {told.shape[1]} columns of "
            f"truth; {2 * N_FOLDS} images and one of each at least would be right"
        )
    if not np.isfinite(latents).all():
        raise BadCall("latents with values that are NaN or infinite")
