"""What both stages cost."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from diarize.layers.divergence import divergence_from_standard_normal
from diarize.models.contract import Losses


@dataclass(frozen=True)
class Autoencoded:
    """Images, and what became of them at their betas."""

    images: Float[Tensor, "batch value"]
    decoded: Float[Tensor, "batch value"]
    mean: Float[Tensor, "batch latent"]
    log_sigma: Float[Tensor, "batch latent"]
    beta: Float[Tensor, " batch"]


def autoencoder_loss(made: Autoencoded, scale: float, rescaling: float) -> Losses:
    """The mean over images of (reconstruction + beta KL) / (1 + beta) ** rescaling, in nats.

    Reconstruction is the squared error over twice the square of `scale`, summed over values: up to
    a constant, minus the log density of normal noise. The division keeps high betas, at which an
    image costs hundreds of nats, from drowning the low ones. The paper rescales too, by learned
    deviations of the latents; how is not known, and ours may differ.

    >>> import torch
    >>> one = torch.ones(1, 2)
    >>> made = Autoencoded(one, one / 2, one, torch.zeros(1, 2), torch.tensor([3.0]))
    >>> autoencoder_loss(made, 0.5, 1.0).total.item()  # (2 * .25 / .5 + 3 * 1) / 4
    1.0
    """
    error = (made.images - made.decoded).square().sum(1)
    reconstruction = error / (2 * scale**2)
    divergence = divergence_from_standard_normal(made.mean, 2 * made.log_sigma)
    cost = (reconstruction + made.beta * divergence) / (1 + made.beta) ** rescaling
    parts = {
        "reconstruction": reconstruction.mean().detach(),
        "kl": divergence.mean().detach(),
        "square_error": (error / made.images.shape[1]).mean().detach(),
    }
    return Losses(cost.mean(), parts)


@dataclass(frozen=True)
class Denoised:
    """What the second stage's network said of noisy latents, and what would have been right."""

    noise: Float[Tensor, "batch latent"]
    true_noise: Float[Tensor, "batch latent"]
    rate: Float[Tensor, "batch latent"]
    true_rate: Float[Tensor, "batch latent"]


def diffusion_loss(made: Denoised, delta_weight: float) -> Losses:
    """The mean square error of the noise, and of the rate at which means move, weighed.

    Both heads count alike at every level: the paper has a weight of the level here, w(t), which is
    not known.
    """
    noise = (made.noise - made.true_noise).square().mean()
    rate = (made.rate - made.true_rate).square().mean()
    parts = {"noise": noise.detach(), "delta": rate.detach()}
    return Losses(noise + delta_weight * rate, parts)
