"""Observation noise of one scale for all values: Laplace or Gaussian."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.layers.divergence import LOG_TWO_PI

NoiseKind = Literal["laplace", "gaussian"]


def distance(
    kind: NoiseKind, observed: Float[Tensor, "*#batch value"], mean: Float[Tensor, "*#batch value"]
) -> Float[Tensor, "*#batch"]:
    """What the density depends on: the sum of absolute, or of squared, differences.

    >>> distance("laplace", torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])).item()
    3.0
    >>> distance("gaussian", torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])).item()
    5.0
    """
    difference = observed - mean
    return difference.abs().sum(-1) if kind == "laplace" else difference.square().sum(-1)


def distances_between(
    kind: NoiseKind,
    some: Float[Tensor, "batch one value"],
    others: Float[Tensor, "batch two value"],
) -> Float[Tensor, "batch one two"]:
    """The distance of each from each, without a tensor of all differences.

    >>> distances_between("laplace", torch.ones(1, 1, 2), torch.zeros(1, 1, 2)).item()
    2.0
    """
    if kind == "laplace":
        return torch.cdist(some, others, p=1.0)
    exactly = "donot_use_mm_for_euclid_dist"  # products would lose digits where both are near
    return torch.cdist(some, others, p=2.0, compute_mode=exactly).square()


def log_density(
    kind: NoiseKind, distances: Float[Tensor, "*batch"], n_values: int, scale: Float[Tensor, ""]
) -> Float[Tensor, "*batch"]:
    """The log density, in nats, of `n_values` values that are `distances` away from their means.

    `scale` is the b of a Laplace density exp(-|x|/b) / 2b, or the standard deviation of a normal.
    """
    if kind == "laplace":
        return -distances / scale - n_values * (2 * scale).log()
    return -0.5 * distances / scale.square() - n_values * (0.5 * LOG_TWO_PI + scale.log())


def likeliest_scale(kind: NoiseKind, mean_distance: float, n_values: int) -> float:
    """The scale under which values `mean_distance` away on average are likeliest.

    Source: arXiv 2510.15669, the M-step of b (for the Laplace density).
    """
    share = max(mean_distance / n_values, 1e-12)
    return share if kind == "laplace" else math.sqrt(share)
