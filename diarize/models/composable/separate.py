"""From a mixture to the sound of its components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.codecs.contract import Encoded
from diarize.layers.lowrank import fitted
from diarize.models.composable.sampler import deblend

if TYPE_CHECKING:
    from diarize.models.composable.model import Composable
    from diarize.models.composable.view import Heard

_TINY = 1e-10


def separate(
    model: Composable, mixture: Float[Tensor, "batch 1 time"]
) -> Float[Tensor, "batch source time"]:
    """The sound of each component, full scale 1, as long as the mixture.

    Each component goes its own way from one and the same noise, told its own latents. With shares,
    or where the model is consistent, components add up to the mixture.
    """
    heard = model.view.hear(mixture)
    components = run_down(model, heard, noise_like(model, heard), model.n_steps)
    latents = component_latents(model, heard, components)
    if model.adapt.steps and model.settings.output == "shares":
        latents = adapted(model, heard, components)
    sounds = sound_of(model, heard, latents)
    exact = model.settings.output == "shares" or model.settings.consistent
    return projected(sounds, mixture) if exact else sounds


def noise_like(model: Composable, heard: Heard) -> Float[Tensor, "batch channel frame"]:
    """Noise that `model.seed` draws, the same for every row."""
    generator = torch.Generator().manual_seed(model.seed)
    noise = torch.randn(1, *heard.data.shape[1:], generator=generator)
    return noise.to(heard.data).expand_as(heard.data)


def run_down(
    model: Composable,
    heard: Heard,
    noise: Float[Tensor, "batch channel frame"],
    n_steps: int,
) -> Float[Tensor, "batch component channel frame"]:
    """The data of each component, by latents of the mixture."""
    latents = model.encode(heard.data)
    every = noise[:, None].expand(-1, len(model.sources), -1, -1)
    return deblend(
        lambda data, level: model.decode(data, level, latents, heard.data), every, n_steps
    )


def component_latents(
    model: Composable, heard: Heard, components: Float[Tensor, "batch component channel frame"]
) -> Float[Tensor, "batch component latent frame"]:
    """Latents of the codec: shares of the mixture's, or what the decoder said."""
    if model.settings.output == "shares":
        return model.shares(components) * heard.encoded.latents[:, None]
    made = model.view.plain(components)
    if model.settings.operator == "mean":  # the mixture is the mean of what the decoder says
        made = made / len(model.sources)
    return made


def adapted(
    model: Composable, heard: Heard, components: Float[Tensor, "batch component channel frame"]
) -> Float[Tensor, "batch component latent frame"]:
    """Latents by shares that were fitted to this very mixture."""
    view, mixture = model.view, heard.encoded.latents
    shares = model.shares(components)[:, :, : view.n_bins]
    generator = torch.Generator().manual_seed(model.seed)
    found = fitted(shares, view.spread_powers(mixture)[:, : view.n_bins], model.adapt, generator)
    every = torch.cat([found, found], 2) if view.is_spectrum else found
    return every * mixture[:, None]


def sound_of(
    model: Composable, heard: Heard, latents: Float[Tensor, "batch component latent frame"]
) -> Float[Tensor, "batch component time"]:
    """The sound of latents beside a mixture, as loud as that was."""
    encoded, n = heard.encoded, latents.shape[1]
    scale = None if encoded.scale is None else encoded.scale.repeat_interleave(n, 0)
    every = Encoded(latents.flatten(0, 1), None, scale, encoded.n_samples)
    sounds = model.view.codec.decode(every).unflatten(0, (-1, n))[:, :, 0]
    return sounds * heard.loudness


def projected(
    sounds: Float[Tensor, "batch source time"], mixture: Float[Tensor, "batch 1 time"]
) -> Float[Tensor, "batch source time"]:
    """The nearest sounds that add up to the mixture, where loud ones may move more.

    What is left over is shared out as the energies of the sounds are; a silent one stays silent.
    """
    energy = sounds.square().sum(2, keepdim=True) + _TINY
    return sounds + (mixture - sounds.sum(1, keepdim=True)) * energy / energy.sum(1, keepdim=True)
