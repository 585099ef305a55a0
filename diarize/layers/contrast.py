"""Contrasts: how well latents find their partners among those of others."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def contrast(
    first: Float[Tensor, "row latent"],
    second: Float[Tensor, "row latent"],
    temperature: float = 1.0,
    owner: Int[Tensor, " row"] | None = None,
) -> Float[Tensor, ""]:
    """How well each row of one finds its partner in the other, by cosine, in nats; lower is better.

    Each of the 2 n rows is to find its partner among all others, those of its own side included
    (SimCLR, arXiv 2002.05709, equation 1). Rows of one `owner` are no rivals of one another: of
    these only the partner counts.
    """
    rows = functional.normalize(torch.cat([first, second]), dim=1)
    alike = rows @ rows.T / temperature
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    partner = torch.arange(len(rows), device=rows.device).roll(len(first))
    if owner is not None:
        whose = owner.repeat(2)
        itself = whose[:, None] == whose
        itself[torch.arange(len(rows), device=rows.device), partner] = False
    alike = alike.masked_fill(itself, -torch.inf)
    return functional.cross_entropy(alike, partner)
