"""Posteriors and priors of latents: normal or Laplace, and what can be done with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diarize.layers.divergence import LOG_TWO_PI

Shape = Literal["normal", "laplace"]


@dataclass(frozen=True)
class Posterior:
    """Independent latents, each of a mean and a scale (standard deviation, or b of a Laplace)."""

    mean: Float[Tensor, "batch latent"]
    scale: Float[Tensor, "batch latent"]


def drawn(
    shape: Shape,
    mean: Float[Tensor, "batch latent"],
    scale: Float[Tensor, "*#batch latent"],
    generator: torch.Generator,
) -> Float[Tensor, "batch latent"]:
    """One draw of each latent, through which gradients flow."""
    size = tuple(mean.shape)
    if shape == "normal":
        noise = torch.randn(size, generator=generator, device=generator.device)
    else:
        even = torch.rand(size, generator=generator, device=generator.device) - 0.5
        noise = -even.sign() * torch.log1p(-2 * even.abs().clamp(max=0.5 - 1e-7))
    return mean + scale * noise.to(mean)


def log_density(
    shape: Shape,
    sample: Float[Tensor, "batch latent"],
    mean: Float[Tensor, "*#batch latent"],
    scale: Float[Tensor, "*#batch latent"],
) -> Float[Tensor, " batch"]:
    """The log density of each row, in nats, summed over the latents."""
    apart = (sample - mean) / scale
    if shape == "normal":
        each = -0.5 * apart.square() - scale.log() - 0.5 * LOG_TWO_PI
    else:
        each = -apart.abs() - (2 * scale).log()
    return each.sum(-1)


def log_mixture(
    shape: Shape,
    sample: Float[Tensor, "batch latent"],
    experts: list[Posterior],
    present: Bool[Tensor, "batch view"],
) -> Float[Tensor, " batch"]:
    """The log density under the even mixture of the experts that are there."""
    each = torch.stack([log_density(shape, sample, one.mean, one.scale) for one in experts], 1)
    each = each.masked_fill(~present, -math.inf)
    return each.logsumexp(1) - present.sum(1).log()


def product(
    experts: list[Posterior], present: Bool[Tensor, "batch view"], prior_scale: float
) -> Posterior:
    """The normal posterior that the experts that are there and the prior agree on.

    Source: M. Wu and N. Goodman, 2018 (arXiv 1802.05335), section 2.2.

    >>> one = Posterior(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    >>> both = product([one, one], torch.tensor([[True, False]]), 1.0)
    >>> both.mean.item(), round(both.scale.item(), 4)
    (1.5, 0.7071)
    """
    there = present.T[..., None].to(experts[0].mean)
    precisions = there * torch.stack([one.scale for one in experts]).reciprocal().square()
    means = torch.stack([one.mean for one in experts])
    total = precisions.sum(0) + prior_scale**-2
    return Posterior((precisions * means).sum(0) / total, total.rsqrt())


def divergence(posterior: Posterior, prior_scale: float) -> Float[Tensor, " batch"]:
    """KL of normal latents from N(0, prior_scale^2), in nats, summed over the latents."""
    mean, scale = posterior.mean / prior_scale, posterior.scale / prior_scale
    return 0.5 * (mean.square() + scale.square() - 1 - 2 * scale.log()).sum(-1)
