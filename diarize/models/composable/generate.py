"""Sound that was never a mixture: latents of the prior, and what the decoder makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.codecs.contract import Encoded
from diarize.errors import BadCall
from diarize.models.composable.sampler import deblend

if TYPE_CHECKING:
    from diarize.models.composable.model import Composable

N_ROUNDS = 32  # in which phases are sought that go with levels
USUAL_RMS = 0.1  # of what is generated
LEAST_STEPS = 10  # if nothing is said: one step of a sampler gives the mean of what could be


@dataclass(frozen=True)
class Generated:
    """What was made.

    Attributes:
        components: the sound of each, full scale 1.
        latents: by which it was made.
        given: the number of the component that was given, or None.
    """

    components: Float[Tensor, "batch source time"]
    latents: Float[Tensor, "batch source width frame"]
    given: int | None


@torch.no_grad()
def generate(
    model: Composable,
    n_rows: int,
    n_samples: int,
    generator: torch.Generator,
    *,
    given: Float[Tensor, "1 1 time"] | None = None,
    strength: float = 1.0,
    n_steps: int | None = None,
) -> Generated:
    """Sound by latents that the prior draws, `n_samples` long.

    With `given`, the latents of the component that it is most like are seen by the prior, and put
    back at each step; the others are drawn to go with it, and it is in the answer as it was given.
    With `strength` below 1 those others begin at that share of noise over their own latents in
    `given`: variations.

    Raises:
        BadCall: the prior was never trained; nothing to make; a strength outside 0 to 1.
    """
    if not model.seen:
        raise BadCall("these weights have no prior; train the phase 'prior', then generate")
    if n_rows < 1 or n_samples < 1:
        raise BadCall(f"{n_rows} pieces of {n_samples} samples; expected 1 or more of both")
    if not 0 < strength <= 1:
        raise BadCall(f"strength = {strength}; expected above 0, at most 1")
    steps = n_steps or max(model.n_steps, LEAST_STEPS)
    silence = torch.zeros(1, 1, n_samples)
    sound = silence if given is None else _long_as(given, n_samples)
    heard = model.view.hear(sound)
    own = model.standard(model.encode(heard.data)).expand(n_rows, -1, -1, -1)
    number = None if given is None else most_like(model, sound)
    masked = torch.ones(n_rows, len(model.sources))
    if number is not None:
        masked[:, number] = 0
    noise = torch.randn(own.shape, generator=generator)
    hidden = masked[:, :, None, None]

    def imposed(data: Tensor) -> Tensor:
        return hidden * data + (1 - hidden) * own

    begun = noise if strength == 1 else (1 - strength) * own + strength * noise
    drawn = deblend(
        lambda data, level: model.predict_latents(data, (1 - strength) + strength * level, masked),
        begun,
        steps,
        impose=imposed,
    )
    latents = model.standard(drawn, back=True)
    shape = (n_rows, 1, *heard.data.shape[1:])
    every = torch.randn(shape, generator=generator).expand(-1, len(model.sources), -1, -1)
    made = deblend(lambda data, level: model.decode(data, level, latents, None), every, steps)
    components = _sounds(model, made, heard.encoded, generator)
    loudness = heard.loudness if number is not None else torch.tensor(USUAL_RMS)
    components = components * loudness
    if number is not None:
        components[:, number] = sound[:, 0]
    return Generated(components, latents, number)


def most_like(model: Composable, sound: Float[Tensor, "1 1 time"]) -> int:
    """The number of the component that has most of a sound's energy, when that is separated."""
    return int(model.separate(sound)[0].square().sum(1).argmax())


def _long_as(sound: Tensor, n_samples: int) -> Tensor:
    short = n_samples - sound.shape[2]
    return torch.nn.functional.pad(sound, (0, max(short, 0)))[:, :, :n_samples]


def _sounds(
    model: Composable, made: Tensor, encoded: Encoded, generator: torch.Generator
) -> Tensor:
    """The sound of what the decoder said; of levels, with phases sought for them."""
    flat = made.flatten(0, 1)
    if not model.view.is_levels:
        scale = None if encoded.scale is None else encoded.scale[:1].repeat_interleave(len(flat), 0)
        numbers = model.view.plain(flat)
        if model.settings.operator == "mean":
            numbers = numbers / len(model.sources)
        found = model.view.codec.decode(Encoded(numbers, None, scale, encoded.n_samples))
    else:
        found = sound_of_levels(model, flat, encoded.n_samples, generator)
    return found[:, 0].unflatten(0, made.shape[:2])


def sound_of_levels(
    model: Composable,
    data: Float[Tensor, "row band frame"],
    n_samples: int,
    generator: torch.Generator,
) -> Float[Tensor, "row 1 time"]:
    """Sound whose levels are nearly these, from phases that are drawn.

    Source: D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform",
    1984, for a codec with more numbers than samples; one with as many takes the signs as drawn.
    """
    view = model.view
    plain = view.plain(data).exp()
    wanted = view.spread((plain - view.floor).clamp(min=0))
    latents = torch.randn(wanted.shape, generator=generator)
    for _ in range(N_ROUNDS):
        power = view.spread_powers(latents)
        latents = latents * (wanted / power.clamp(min=1e-12)).sqrt()
        sound = view.codec.decode(Encoded(latents, None, None, n_samples))
        latents = view.codec.encode(sound).latents
    return sound
