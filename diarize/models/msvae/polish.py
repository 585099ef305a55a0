"""Latents made better than the encoders guess them, once it is known which streams are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diarize.layers.noise import distance, log_density

if TYPE_CHECKING:
    from diarize.models.msvae.model import MSVAE

FIRST_RATE, LAST_RATE = 0.1, 0.01  # in standard deviations of the prior


def polished_sources(
    model: MSVAE,
    mixtures: Float[Tensor, "batch value"],
    latents: Float[Tensor, "batch stream latent"],
    pattern: Bool[Tensor, "batch stream"],
    n_steps: int,
) -> Float[Tensor, "batch stream value"]:
    """What the streams of `pattern` look like after `n_steps` of ascent on log p(x, z | s).

    It begins at `latents`. The encoders see the whole mixture and answer at once; what they get a
    little wrong shows in what is left of the mixture. The gradient of each mixture is its own, so
    a row of a batch comes out as the row alone. Streams that are off give zeros.
    """
    state = [one.requires_grad for one in model.parameters()]
    model.requires_grad_(False)
    shape = latents[pattern].detach().clone()
    moments = torch.zeros_like(shape), torch.zeros_like(shape)
    try:
        for step in range(n_steps):
            shape.requires_grad_(True)
            with torch.enable_grad():
                cost = -_log_joint(model, mixtures, latents, pattern, shape).sum()
                (gradient,) = torch.autograd.grad(cost, shape)
            rate = FIRST_RATE + (LAST_RATE - FIRST_RATE) * step / max(n_steps - 1, 1)
            shape = shape.detach() - rate * _adam(gradient, moments, step)
        with torch.no_grad():
            return model.decoders(_placed(latents, pattern, shape), pattern)
    finally:
        for one, wanted in zip(model.parameters(), state, strict=True):
            one.requires_grad_(wanted)


def _log_joint(
    model: MSVAE, mixtures: Tensor, latents: Tensor, pattern: Tensor, shape: Tensor
) -> Float[Tensor, " batch"]:
    """log p(x | s, z) + log p(z), up to a constant."""
    sources = model.decoders(_placed(latents, pattern, shape), pattern)
    noise, n_values = model.settings.noise, mixtures.shape[1]
    fit = log_density(noise, distance(noise, mixtures, sources.sum(1)), n_values, model.scale)
    prior = latents.new_zeros(latents.shape).index_put(pattern.nonzero(as_tuple=True), shape)
    return fit - 0.5 * prior.square().sum((1, 2))


def _placed(latents: Tensor, pattern: Tensor, shape: Tensor) -> Tensor:
    return latents.detach().index_put(pattern.nonzero(as_tuple=True), shape)


def _adam(gradient: Tensor, moments: tuple[Tensor, Tensor], step: int) -> Tensor:
    """The direction of a step of Adam (Kingma and Ba, 2015, algorithm 1)."""
    first, second = moments
    first.lerp_(gradient, 0.1)
    second.lerp_(gradient.square(), 0.05)
    mean = first / (1 - 0.9 ** (step + 1))
    spread = second / (1 - 0.95 ** (step + 1))
    return mean / (spread.sqrt() + 1e-8)
