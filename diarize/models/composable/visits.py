"""Mixtures whose components are known, made of mixtures whose components are not.

Of a batch, windows that one component has nearly for itself are mixed anew, with such windows of
the others; and where it has only moments for itself, those alone. Who has what is the model's own
word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diarize.codecs.contract import Encoded
from diarize.models.composable import objective
from diarize.models.composable.variation import n_drawn, varied

if TYPE_CHECKING:
    from diarize.models.composable.model import Composable
    from diarize.models.composable.view import Heard

_TINY = 1e-9
Shares = Float[Tensor, "batch component latent frame"]


def made(
    model: Composable,
    sound: Float[Tensor, "batch 1 time"],
    heard: Heard,
    shares: Shares,
    generator: torch.Generator,
) -> Float[Tensor, "made component time"]:
    """The components of made mixtures, varied and at levels of chance."""
    weights, n = model.settings.losses, len(model.sources)
    energies = (shares * heard.encoded.latents[:, None]).square().sum(2)
    n_each = max(1, round(weights.alone * len(sound)))
    chosen = objective.ranked(energies.sum(2), n_each)
    rows = torch.cat([_shuffled(chosen, generator) for _ in range(weights.pairs)])
    plain = (sound / heard.loudness)[:, 0]
    found = [_whole(model, plain, heard, shares, rows)]
    parts = energies / energies.sum(1, keepdim=True).clamp(min=_TINY)
    for number, share in enumerate(weights.gated):
        if n_made := round(share * len(sound)):
            sure = parts[:, number] >= weights.sure
            own = (energies[:, number] * sure).sum(1) / energies.sum((1, 2)).clamp(min=_TINY)
            others = _repeated(chosen, n_made, generator)
            whole = plain[others]
            best = own.topk(min(n_made, len(sound))).indices
            whole[: len(best), number] = _gated(model, heard, sure)[best]
            found.append(whole[: len(best)])
    return _changed(model, torch.cat(found), n, generator)


def _changed(
    model: Composable,
    alone: Float[Tensor, "made component time"],
    n: int,
    generator: torch.Generator,
) -> Float[Tensor, "made component time"]:
    """Each at another speed, with another balance of frequencies, and at another level."""
    weights = model.settings.losses
    device = generator.device
    if weights.speed or weights.shape_db:
        flat = alone.flatten(0, 1)
        drawn = torch.rand(len(flat), n_drawn(), generator=generator, device=device).to(flat)
        changed = varied(flat, drawn, model.rate_hz, weights.speed, weights.shape_db)
        alone = changed.view_as(alone)
    drawn = torch.rand(len(alone), n, 1, generator=generator, device=device).to(alone)
    return alone * 10 ** (weights.gain_db * (2 * drawn - 1) / 20)


def _whole(
    model: Composable,
    plain: Float[Tensor, "batch time"],
    heard: Heard,
    shares: Shares,
    rows: Int[Tensor, "made component"],
) -> Float[Tensor, "made component time"]:
    """The sound of the windows `rows`: as they are, or what of them is the component's."""
    found = []
    for number, as_is in enumerate(model.settings.losses.whole or (True,) * rows.shape[1]):
        chosen = rows[:, number]
        if as_is:
            found.append(plain[chosen])
        else:
            latents = shares[chosen, number] * heard.encoded.latents[chosen]
            found.append(_decoded(model, heard, latents, chosen))
    return torch.stack(found, 1)


def _gated(
    model: Composable, heard: Heard, sure: Bool[Tensor, "batch frame"]
) -> Float[Tensor, "batch time"]:
    """The mixture in frames that are sure, and silence in all others."""
    return _decoded(model, heard, heard.encoded.latents * sure[:, None], None)


def _decoded(
    model: Composable, heard: Heard, latents: Tensor, rows: Int[Tensor, " row"] | None
) -> Float[Tensor, "row time"]:
    scale = heard.encoded.scale
    own = scale if scale is None or rows is None else scale[rows]
    encoded = Encoded(latents, None, own, heard.encoded.n_samples)
    return model.view.codec.decode(encoded)[:, 0]


def _repeated(
    chosen: Int[Tensor, "component rank"], n_rows: int, generator: torch.Generator
) -> Int[Tensor, "row component"]:
    """Windows of each component in orders of chance, as often as it takes."""
    times = -(-n_rows // chosen.shape[1])
    return torch.cat([_shuffled(chosen, generator) for _ in range(times)])[:n_rows]


def _shuffled(
    chosen: Int[Tensor, "component rank"], generator: torch.Generator
) -> Int[Tensor, "rank component"]:
    """Windows of each component in another order, side by side."""
    order = torch.rand(chosen.shape, generator=generator, device=generator.device)
    return chosen.gather(1, order.argsort(1).to(chosen.device)).T
