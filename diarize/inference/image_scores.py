"""How right results on mixtures of images are, by the sets they were made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from diarize.corpora.digit_mixtures import DigitMixtures
from diarize.errors import BadCall, BadFile
from diarize.inference.image_results import ImageResult, Origin
from diarize.scoring.image_board import Learned, Separation, SetScore
from diarize.scoring.images import best_permutation, in_range, score_images
from diarize.scoring.patterns import Share, score_classes, score_patterns

Variant = Literal["decoded", "masked"]
Judge = Callable[[Float32[np.ndarray, "image pixel"]], Float32[np.ndarray, "image class"]]
_FAINTEST = 1e-12  # what images must sum to for shares of it to mean anything
_NOBODY = -1


@dataclass(frozen=True)
class ImageScoreSettings:
    """The [score] table of a conf of images.

    Attributes:
        variants: "decoded" images as the model gives them; "masked": the shares of the mixture
            that those have in their sum, so that they sum to it.
        outside: what becomes of values over 1: "clip" cuts them, "scale" divides by the image's
            largest, "keep" leaves them.
        seed: of the bootstrap intervals.
    """

    variants: tuple[Variant, ...] = ("decoded", "masked")
    outside: Literal["clip", "scale", "keep"] = "clip"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BadCall(f"seed = {self.seed}; expected 0 or more")


def score_result(
    result: ImageResult,
    truth: DigitMixtures,
    origin: Origin,
    settings: ImageScoreSettings,
    judge: Judge | None = None,
) -> SetScore:
    """Return how right `result` is, given what is true of its set.

    Where a model was told the number of sources, its images are paired in ascending order of class
    ("order", as in the paper, where a wrong class shifts the pairs behind it) and as they fit best
    ("permutation"); where not, the image of each true class counts, black where it was not found
    ("class"). A model without classes has no order.

    Raises:
        BadFile: the result has other numbers of mixtures or streams than the set.
    """
    name, given = str(result.identity["set"]), result.identity["mode"] == "given"
    if len(result.counts) != len(truth):
        raise BadFile(f"{name}: {len(result.counts)} results of {len(truth)} mixtures")
    found = result.pattern
    if found is not None and found.shape != truth.pattern.shape:
        raise BadFile(f"{name}: results of {found.shape[1]} streams, of {truth.pattern.shape[1]}")
    if given and (result.counts != truth.pattern.sum(axis=1)).any():
        raise BadFile(f"{name}: results of another number of sources than was given; infer again")
    told = [word for word, known in (("K", given), ("classes", found is not None)) if known]
    separations = tuple(_separations(result, truth, settings, judge))
    return SetScore(
        origin.name,
        name,
        " and ".join(told) or "nothing",
        None if found is None else score_patterns(found, truth.pattern, truth.streams),
        separations,
        result.seconds.batch,
        result.seconds.everything,
        result.seconds.networks,
        result.seconds.machine,
    )


def learned(origin: Origin) -> Learned:
    """Return what the model of `origin` learned of how its mixtures are made."""
    presence = origin.learned.get("pi")
    return Learned(
        origin.name,
        tuple(presence) if presence else None,
        origin.presence,
        origin.learned.get("b"),
        origin.noise_scale,
    )


def judge_share(
    judge: Judge, images: Float32[np.ndarray, "image pixel"], classes: Int64[np.ndarray, " image"]
) -> Share:
    """Return how often the judge sees the class in images.

    Raises:
        BadCall: it knows fewer classes.
    """
    return score_classes(judge(images), classes)


def masked(
    images: Float32[np.ndarray, "image pixel"],
    counts: Int64[np.ndarray, " mixture"],
    mixtures: Float32[np.ndarray, "mixture pixel"],
) -> Float32[np.ndarray, "image pixel"]:
    """Return the shares of mixtures that their images, `counts` of each, have in the images' sum.

    >>> images = np.array([[0.2], [0.6]], np.float32)
    >>> masked(images, np.array([2]), np.array([[1.0]], np.float32)).ravel().round(2).tolist()
    [0.25, 0.75]
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    totals = np.zeros_like(mixtures)
    np.add.at(totals, owner, images)
    shares = images / np.maximum(totals, np.float32(_FAINTEST))[owner]
    return np.asarray(shares * mixtures[owner])


def of_true_classes(
    result: ImageResult, truth: DigitMixtures, images: Float32[np.ndarray, "image pixel"]
) -> Float32[np.ndarray, "mixture source pixel"]:
    """Return the image of each stream that is truly on, black where it was not found.

    `images` are those of the result, or others in their place; all mixtures have as many sources.
    """
    assert result.pattern is not None
    index = np.full(truth.pattern.shape, _NOBODY)
    index[result.pattern] = np.arange(len(images))
    wanted = index[truth.pattern].reshape(len(truth), -1)
    chosen = images[wanted] if len(images) else np.zeros((*wanted.shape, truth.mixtures.shape[1]))
    return np.where(wanted[..., None] == _NOBODY, 0, chosen).astype(np.float32)


def _separations(
    result: ImageResult, truth: DigitMixtures, settings: ImageScoreSettings, judge: Judge | None
) -> Iterator[Separation]:
    n_sources = np.unique(truth.pattern.sum(axis=1))
    if len(n_sources) != 1 or not n_sources[0]:
        return
    true = truth.source_array()
    classes = np.nonzero(truth.pattern)[1]
    decoded = result.images.astype(np.float32)
    for variant in settings.variants:
        images = decoded
        if variant == "masked":
            images = masked(decoded, result.counts, truth.mixtures)
        images = in_range(images[:, None], settings.outside)[:, 0]
        for pairing, paired in _paired(result, truth, images, true):
            scores = score_images(_square(paired), _square(true), "order", "keep", settings.seed)
            judged = None
            if judge is not None:
                judged = judge_share(judge, paired.reshape(len(classes), -1), classes)
            yield Separation(variant, replace(scores, pairing=pairing), judged)


def _paired(
    result: ImageResult,
    truth: DigitMixtures,
    images: Float32[np.ndarray, "image pixel"],
    true: Float32[np.ndarray, "mixture source pixel"],
) -> Iterator[tuple[str, Float32[np.ndarray, "mixture source pixel"]]]:
    """The images in the order of the true ones, by each pairing that there is."""
    if result.identity["mode"] != "given":
        if result.pattern is not None:
            yield "class", of_true_classes(result, truth, images)
        return
    found = images.reshape(true.shape)
    if result.pattern is not None:
        yield "order", found
    order = best_permutation(_square(found), _square(true))
    yield "permutation", np.take_along_axis(found, order[:, :, None], axis=1)


def _square(
    images: Float32[np.ndarray, "mixture source pixel"],
) -> Float32[np.ndarray, "mixture source row column"]:
    side = round(images.shape[2] ** 0.5)
    return np.reshape(images, (*images.shape[:2], side, side))
