"""What training costs. No term knows a stem."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diarize.models.composable.config import LossSettings

Powers = Float[Tensor, "batch component bin frame"]
_TINY = 1e-9
FLOOR = 1e-2  # of noise to signal: what is better is not made any better
QUIET = 1e-2  # of a mixture's energy, that each of its components has at least in `share_cost`


def continuity(powers: Powers, settings: LossSettings) -> Float[Tensor, ""]:
    """What components change, over time (`steady`) and over frequency (`even`), over their size.

    Sound that is held is steady; a stroke is even. Source: N. Ono and others, "Separation of a
    monaural audio signal into harmonic/percussive components by complementary diffusion on
    spectrogram", 2008, where both are of powers to an exponent.
    """
    sizes = powers.clamp(min=_TINY) ** settings.compression
    total = sizes.square().mean().clamp(min=_TINY)
    cost = powers.new_zeros(())
    for weights, axis in ((settings.steady, 3), (settings.even, 2)):
        for number, weight in enumerate(weights):
            if weight:
                changes = sizes[:, number : number + 1].diff(dim=axis)
                cost = cost + weight * changes.square().mean() / total
    return cost


def register(
    powers: Powers, octaves: Float[Tensor, " bin"], settings: LossSettings
) -> Float[Tensor, ""]:
    """What components have above (`high`) and below (`low`) a frequency, over all they have.

    `octaves` is how far each bin is above that frequency, below 0 where it is below; a component
    pays for the size of each bin as often as that is octaves on the side it pays for.

    >>> at = torch.tensor([-1.0, 0.0, 2.0])
    >>> one = torch.ones(1, 1, 3, 5)
    >>> register(one, at, LossSettings(high=(3.0,))).item()  # 3 * 2 octaves, in one bin of three
    2.0
    """
    sizes = powers.clamp(min=_TINY) ** settings.compression
    total = sizes.sum(1).mean().clamp(min=_TINY)
    cost = powers.new_zeros(())
    for weights, side in ((settings.high, octaves), (settings.low, -octaves)):
        for number, weight in enumerate(weights):
            if weight:
                cost = (
                    cost + weight * (sizes[:, number] * side.clamp(min=0)[:, None]).mean() / total
                )
    return cost


def share_cost(
    shares: Float[Tensor, "batch component latent frame"],
    mixture: Float[Tensor, "batch latent frame"],
    components: Float[Tensor, "batch component latent frame"],
) -> Float[Tensor, ""]:
    """Noise to signal of shares of a mixture's latents, in dB: mean over components.

    A component far below the mixture counts as `QUIET` of that: what is nearly silent is not told
    apart from what is.
    """
    error = (shares * mixture[:, None] - components).square().sum((2, 3))
    energy = components.square().sum((2, 3)) + QUIET * mixture.square().sum((1, 2))[:, None]
    return 10 * torch.log10(error / energy.clamp(min=_TINY) + FLOOR).mean()


def ranked(
    energies: Float[Tensor, "batch component"], n_each: int
) -> Int[Tensor, "component rank"]:
    """The rows of which each component has the largest part, most of all first.

    >>> ranked(torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]), 1).tolist()
    [[0], [2]]
    """
    parts = energies / energies.sum(1, keepdim=True).clamp(min=_TINY)
    return parts.topk(n_each, dim=0).indices.T


def masks_of(
    drawn: Float[Tensor, "batch 2"], n_components: int, all_masked: float
) -> Float[Tensor, "batch component"]:
    """Which components are masked (1), by two uniform numbers a datum; at least one always is.

    All are with probability `all_masked`; else each other choice is as likely as the next. The
    published code means to do so (arXiv 2408.09792), but draws every choice alike.

    >>> masks_of(torch.tensor([[0.2, 0.0], [0.7, 0.0], [0.7, 0.9]]), 2, 0.5).tolist()
    [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    whole = 2**n_components - 1
    some = 1 + (drawn[:, 1] * (whole - 1)).long().clamp(max=max(whole - 2, 0))
    is_all = (drawn[:, 0] < all_masked) | (whole == 1)
    number = torch.where(is_all, torch.full_like(some, whole), some)
    bits = torch.arange(n_components, device=drawn.device)
    return (number[:, None] >> bits & 1).float()
