"""Log densities and divergences of the distributions that latents have, in nats."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

LOG_TWO_PI = math.log(2 * math.pi)


def sample_normal(
    mean: Float[Tensor, "*shape"],
    log_variance: Float[Tensor, "*shape"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*shape"]:
    """One draw from each N(mean, exp(log_variance)), through which gradients flow.

    Source: Kingma and Welling, 2014 (arXiv 1312.6114), section 2.4.
    """
    device = mean.device if generator is None else generator.device
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=device)
    return mean + (0.5 * log_variance).exp() * noise.to(mean.device)


def divergence_from_standard_normal(
    mean: Float[Tensor, "*batch latent"], log_variance: Float[Tensor, "*batch latent"]
) -> Float[Tensor, "*batch"]:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), summed over the latents.

    Source: Kingma and Welling, 2014 (arXiv 1312.6114), appendix B.

    >>> divergence_from_standard_normal(torch.tensor([1.0]), torch.tensor([0.0])).item()
    0.5
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(-1)


def log_ratio_to_standard_normal(
    sample: Float[Tensor, "*batch latent"],
    mean: Float[Tensor, "*batch latent"],
    log_variance: Float[Tensor, "*batch latent"],
) -> Float[Tensor, "*batch"]:
    """log N(sample; 0, 1) - log N(sample; mean, exp(log_variance)), summed over the latents.

    Its mean over samples of the second is minus the divergence; its exponential is the weight of
    a sample drawn from the second in an average over the first.
    """
    deviation = (sample - mean).square() * (-log_variance).exp()
    return 0.5 * (deviation + log_variance - sample.square()).sum(-1)
