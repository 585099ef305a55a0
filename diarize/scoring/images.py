"""How like the true images the separated ones are: PSNR and SSIM, and which is held to which."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from diarize.errors import BadCall
from diarize.scoring.bootstrap import Interval, ratio_interval

PAIRINGS = ("order", "permutation")
OUTSIDE = ("clip", "scale", "keep")

WINDOW = 7  # pixels a side
LEVEL_GUARD, CONTRAST_GUARD = 0.01**2, 0.03**2  # C1 and C2 of SSIM at a data range of 1
_IMAGES_AT_ONCE = 1024


@dataclass(frozen=True)
class ImageScores:
    """How like the truth all separated images are, each image counting the same.

    The intervals are 95 % bootstrap intervals over mixtures; None for a single mixture, and for
    PSNR where an image is exactly right.
    """

    pairing: str
    n_mixtures: int
    n_sources: int
    psnr_db: float
    ssim: float
    psnr_db_interval: Interval | None
    ssim_interval: Interval | None


def score_images(
    found: Float[np.ndarray, "mixture source row column"],
    true: Float[np.ndarray, "*_true"],
    pairing: str = "order",
    outside: str = "clip",
    seed: int = 0,
) -> ImageScores:
    """Return the mean PSNR and SSIM of the images separated from mixtures of as many sources.

    `order` holds the first found to the first true, and so on: with both in ascending order of
    class (see `of_classes`), a wrong class shifts the pairs behind it, as in the paper.
    `permutation` takes the assignment of least squared error in each mixture. Means are of all
    images; the paper's code rounds the means of batches to two decimals and averages those.

    Raises:
        BadCall: no images, unequal shapes, values that are no numbers, or images too small.

    Source: arXiv 2510.15669, the evaluation of its digits.
    """
    found, true = _checked(found, true)
    if pairing not in PAIRINGS:
        raise BadCall(f"pairing = {pairing!r}; there are {', '.join(PAIRINGS)}")
    if found.ndim != 4:
        raise BadCall(f"found shape {found.shape}; expected mixture by source by row by column")
    found, true = in_range(found, outside), in_range(true, outside)
    if pairing == "permutation":
        order = best_permutation(found, true)
        found = np.take_along_axis(found, order[:, :, None, None], axis=1)
    n_mixtures, n_sources = found.shape[:2]
    ratios_db, likenesses = psnr_db(found, true), ssim(found, true)
    return ImageScores(
        pairing,
        n_mixtures,
        n_sources,
        float(ratios_db.mean()),
        float(likenesses.mean()),
        _interval(ratios_db, seed),
        _interval(likenesses, seed),
    )


def of_classes(
    images: Float[np.ndarray, "mixture stream row column"], pattern: Bool[np.ndarray, "*_pattern"]
) -> Float[np.ndarray, "mixture source row column"]:
    """Return the images of the streams that are on, in ascending order of class.

    Every mixture must have as many on as the others. Where a model was free to choose how many,
    `of_classes(images * found_pattern[..., None, None], true_pattern)` gives its images of the
    true classes, black where it missed one.

    Raises:
        BadCall: a pattern of another shape, or mixtures with unequal numbers of streams on.

    >>> of_classes(np.array([[[[0.1]], [[0.2]], [[0.3]]]]), np.array([[True, False, True]])).ravel()
    array([0.1, 0.3])
    """
    if pattern.shape != images.shape[:2]:
        raise BadCall(
            f"found a pattern of shape {pattern.shape} for images of shape {images.shape}; "
            f"expected {images.shape[:2]}"
        )
    counts = np.unique(pattern.sum(axis=1))
    if len(counts) != 1:
        raise BadCall(
            f"found mixtures with {', '.join(map(str, counts)) or 'no'} streams on; "
            "expected the same number in each"
        )
    return images[pattern].reshape(len(images), int(counts[0]), *images.shape[2:])


def best_permutation(
    found: Float[np.ndarray, "mixture source row column"], true: Float[np.ndarray, "*_true"]
) -> Int[np.ndarray, "mixture source"]:
    """Return which found image goes with each true one: the least squared error in each mixture."""
    from scipy.optimize import linear_sum_assignment

    found, true = _checked(found, true)
    flat_found, flat_true = (
        np.reshape(images, (*images.shape[:2], -1)) for images in (found, true)
    )
    order = np.empty(found.shape[:2], np.int64)
    for mixture, (one_found, one_true) in enumerate(zip(flat_found, flat_true, strict=True)):
        error = np.square(one_true[:, None] - one_found[None]).mean(axis=2)
        order[mixture] = linear_sum_assignment(error)[1]
    return order


def psnr_db(
    found: Float[np.ndarray, "*image row column"], true: Float[np.ndarray, "*_true"]
) -> Float[np.ndarray, "*image"]:
    """Return each image's peak signal-to-noise ratio in dB at a data range of 1.

    Infinite where the image is exactly right.

    >>> float(psnr_db(np.full((28, 28), 0.1), np.zeros((28, 28))).round(6))
    20.0
    """
    found, true = _checked(found, true)
    error = np.square(found - true).mean(axis=(-2, -1))
    with np.errstate(divide="ignore"):
        return np.asarray(-10 * np.log10(error))


def ssim(
    found: Float[np.ndarray, "*image row column"], true: Float[np.ndarray, "*_true"]
) -> Float[np.ndarray, "*image"]:
    """Return each image's structural similarity, -1 to 1, at a data range of 1.

    As scikit-image has it by default: windows of 7 x 7 pixels that weigh the same, variances over
    48 and not 49, and the mean over the windows that lie wholly in the image.

    Raises:
        BadCall: no images, unequal shapes, values that are no numbers, or sides under 7 pixels.

    Source: Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004, eq. 13.
    """
    found, true = _checked(found, true)
    if min(found.shape[-2:]) < WINDOW:
        raise BadCall(f"found images of {found.shape[-2:]} pixels; SSIM takes {WINDOW} a side")
    flat_found, flat_true = (
        np.reshape(images, (-1, *images.shape[-2:])) for images in (found, true)
    )
    parts = [
        _ssim(flat_found[begin : begin + _IMAGES_AT_ONCE], flat_true[begin:][:_IMAGES_AT_ONCE])
        for begin in range(0, len(flat_found), _IMAGES_AT_ONCE)
    ]
    return np.reshape(np.concatenate(parts), found.shape[:-2])


def in_range(
    images: Float[np.ndarray, "*image row column"], outside: str = "clip"
) -> Float[np.ndarray, "*image row column"]:
    """Return the images with those that exceed 1 brought into range; the others are as they were.

    `clip` cuts at 1, `scale` divides by the image's largest value, `keep` leaves all.
    """
    if outside == "keep":
        return images
    if outside == "clip":
        return np.minimum(images, 1)
    if outside == "scale":
        return images / np.maximum(images.max(axis=(-2, -1), keepdims=True), 1)
    raise BadCall(f"outside = {outside!r}; there are {', '.join(OUTSIDE)}")


def _ssim(
    found: Float[np.ndarray, "image row column"], true: Float[np.ndarray, "image row column"]
) -> Float[np.ndarray, " image"]:
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    mean_found, mean_true = _window_means(found), _window_means(true)
    variance_found = unbiased * (_window_means(found * found) - mean_found**2)
    variance_true = unbiased * (_window_means(true * true) - mean_true**2)
    covariance = unbiased * (_window_means(found * true) - mean_found * mean_true)
    level = (2 * mean_found * mean_true + LEVEL_GUARD) / (
        mean_found**2 + mean_true**2 + LEVEL_GUARD
    )
    contrast = (2 * covariance + CONTRAST_GUARD) / (variance_found + variance_true + CONTRAST_GUARD)
    return np.asarray((level * contrast).mean(axis=(-2, -1)))


def _window_means(images: Float[np.ndarray, "image row column"]) -> Float[np.ndarray, "image _ _"]:
    from numpy.lib.stride_tricks import sliding_window_view

    along = sliding_window_view(images, WINDOW, axis=2).mean(axis=-1)
    return np.asarray(sliding_window_view(along, WINDOW, axis=1).mean(axis=-1))


def _checked(
    found: Float[np.ndarray, "*_found"], true: Float[np.ndarray, "*_true"]
) -> tuple[Float[np.ndarray, "*_found"], Float[np.ndarray, "*_true"]]:
    """Return both in double precision, or say why they cannot be compared."""
    if found.shape != true.shape:
        raise BadCall(
            f"found images of shape {found.shape} for true ones of shape {true.shape}; "
            "expected the same"
        )
    if not found.size:
        raise BadCall(f"found no images (shape {found.shape}); there must be one to score")
    for name, images in (("found", found), ("true", true)):
        n_bad = images.size - int(np.isfinite(images).sum())
        if n_bad:
            raise BadCall(f"the {name} images have {n_bad} values that are NaN or infinite")
    return found.astype(np.float64, copy=False), true.astype(np.float64, copy=False)


def _interval(values: Float[np.ndarray, "mixture source"], seed: int) -> Interval | None:
    if not math.isfinite(float(values.sum())):
        return None
    totals = np.full(len(values), float(values.shape[1]))
    return ratio_interval(values.sum(axis=1), totals, np.random.default_rng(seed))
