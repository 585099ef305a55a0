"""From what was made of a mixture to a sound for each stem, by way of the mixture or of codes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool1d

from diarize.layers.lowrank import fitted
from diarize.models.contract import FAINT_DB
from diarize.models.rqvae.bottleneck import Passed

if TYPE_CHECKING:
    from diarize.models.rqvae.model import RQVAE

Shares = Float[Tensor, "channel source frame part"]
AROUND = 43  # frames, 2 s
_TINY = 1e-10


@dataclass(frozen=True)
class Taken:
    """What a mixture was made into.

    Attributes:
        shares: of the mixture's spectrum, a stem; None from network "waveform".
        sounds: of each stem, full scale 1; None from network "spectrum".
        passed: what got through each bottleneck.
    """

    shares: Float[Tensor, "batch source frame part"] | None
    sounds: Float[Tensor, "batch source time"] | None
    passed: tuple[Passed, ...]

    def sounds_of(
        self, model: RQVAE, mixture: Float[Tensor, "batch 1 time"]
    ) -> Float[Tensor, "batch source time"]:
        """The sound of each stem, of its share of the mixture if it is known by that."""
        if self.sounds is not None:
            return self.sounds
        assert self.shares is not None  # one of the two there is
        spectra = model.spectrum.forward(mixture) * model.parts.spread(self.shares)
        return model.spectrum.inverse(spectra, mixture.shape[2])


def finished(
    model: RQVAE,
    mixture: Float[Tensor, "channel time"],
    heard: Float[Tensor, "channel source time"],
) -> Float[Tensor, "channel source time"]:
    """The stems of a recording, full scale 1, as `model.output` says, from what was heard in it.

    "mixture" multiplies the mixture's spectrum by each stem's shares: codes decide on the shares,
    and the sound has a path around them. "codes" sends each stem so found through the codec: all
    that is heard is made of codes.
    """
    if model.adapt.steps:
        heard = adapted(model, mixture, heard)
    if model.output != "codes":
        return heard
    n_samples = mixture.shape[1]
    transform = model.codec.transform
    numbers, _ = model.codec.quantise(transform.forward(heard.flatten(0, 1)))
    return transform.inverse(numbers, n_samples).view_as(heard)


def adapted(
    model: RQVAE,
    mixture: Float[Tensor, "channel time"],
    heard: Float[Tensor, "channel source time"],
) -> Float[Tensor, "channel source time"]:
    """Stems by shares of the mixture's magnitudes that were fitted to this very recording.

    In the parts of bands that the network has. Channels have spectra in common, and courses of
    time of their own.
    """
    whole, parts = model.spectrum.forward(mixture), model.parts
    powers = parts.sums(whole.real.square() + whole.imag.square())
    shares = torch.empty(*heard.shape[:2], *powers.shape[1:]).to(powers)
    every = list(itertools.product(*map(range, heard.shape[:2])))  # alone: spectra take much memory
    for number, stem in every:
        own, mixed = model.spectrum.forward(heard[number, stem]), whole[number]
        like = parts.sums(mixed.real * own.real + mixed.imag * own.imag)
        shares[number, stem] = (like / powers[number].clamp(min=_TINY)).clamp(0, 1) + _TINY
    shares = shares / shares.sum(1, keepdim=True)
    in_one = shares.permute(1, 3, 0, 2).flatten(2)[None]  # frames of channels one after another
    generator = torch.Generator().manual_seed(0)
    found = fitted(in_one, powers.permute(2, 0, 1).flatten(1)[None], model.adapt, generator)
    fits = found[0].unflatten(2, powers.shape[:2]).permute(2, 0, 3, 1)
    fits, made = hushed(fits, shares, powers), torch.empty_like(heard)
    for number, stem in every:
        one = whole[number] * parts.spread(fits[number, stem])
        made[number, stem] = model.spectrum.inverse(one, mixture.shape[1])
    return made


def hushed(found: Shares, heard: Shares, powers: Float[Tensor, "channel frame part"]) -> Shares:
    """Shares `found`, with stems that hardly play made as faint as they were `heard` to be.

    Over `AROUND` frames. Spectra fitted to a stem that does not play are those of the others, and
    would be heard. What one stem loses goes to the others; shares add up to 1 as before.
    """
    length = min(AROUND, 2 * powers.shape[1] - 1)  # no longer than there is something around

    def around(levels: Float[Tensor, "channel row frame"]) -> Float[Tensor, "channel row frame"]:
        return avg_pool1d(levels, length, 1, length // 2, count_include_pad=False) + _TINY**2

    now, before = (around((one.square() * powers[:, None]).sum(3)) for one in (found, heard))
    faint_db = 10 * torch.log10(before / around(powers.sum(2)[:, None]))
    silent = torch.sigmoid((FAINT_DB - faint_db) / 2)
    scaled = found * ((before / now).clamp(max=1) ** silent)[..., None]
    return scaled / scaled.sum(1, keepdim=True).clamp(min=_TINY)
