"""Stems as instruments of other makes would sound: spectra under smooth curves, drawn anew."""

from __future__ import annotations

import torch
from jaxtyping import Complex
from torch import Tensor

N_KNOTS = 6  # of a curve, over the frequencies as an ear has them


def shaped(
    spectra: Complex[Tensor, "batch source frame frequency"],
    most_db: float,
    generator: torch.Generator,
) -> Complex[Tensor, "batch source frame frequency"]:
    """The spectra, each stem's under a curve of its own between `-most_db` and `most_db`."""
    batch, n_sources, _, n_frequencies = spectra.shape
    device = spectra.device
    shape = batch, n_sources, N_KNOTS
    drawn = torch.rand(shape, generator=generator, device=generator.device).to(device)
    at = torch.linspace(0, 1, n_frequencies, device=device)
    at = torch.log1p(30 * at) / torch.log1p(torch.tensor(30.0)) * (N_KNOTS - 1)
    before = at.long().clamp(max=N_KNOTS - 2)
    share = at - before
    knots_db = most_db * (2 * drawn - 1)
    curve_db = knots_db[..., before] * (1 - share) + knots_db[..., before + 1] * share
    return spectra * (10 ** (curve_db / 20))[:, :, None]
