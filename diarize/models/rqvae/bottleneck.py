"""What stands between encoder and decoder: sums of codes, or draws, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.layers.codebook import CodebookRules
from diarize.layers.residual_codebooks import ResidualCodebooks


@dataclass(frozen=True)
class Passed:
    """What got through: the numbers, their codes if any, and what each part of it costs."""

    vectors: Float[Tensor, "group n width"]
    codes: Int[Tensor, "stage group n"] | None
    codebook: Float[Tensor, ""]
    commitment: Float[Tensor, ""]
    divergence: Float[Tensor, ""]


class Bottleneck(nn.Module):
    """Lets vectors through as they are until it is awake; then as codes, or as noisy means.

    With `generator` it is being trained: codebooks learn, and draws are made.
    """

    def __init__(
        self,
        kind: Literal["codes", "gaussian", "none"],
        n_stages: int,
        n_groups: int,
        width: int,
        rules: CodebookRules,
    ) -> None:
        super().__init__()
        self.books = self.log_variance = None
        if kind == "codes":
            self.books = ResidualCodebooks(n_stages, n_groups, width, rules)
        elif kind == "gaussian":
            self.log_variance = nn.Linear(width, width)

    def forward(
        self,
        vectors: Float[Tensor, "group n width"],
        awake: bool,
        generator: torch.Generator | None = None,
    ) -> Passed:
        """What gets through."""
        nothing = vectors.new_zeros((), dtype=torch.float32)
        if not awake:
            return Passed(vectors, None, nothing, nothing, nothing)
        if self.books is not None:
            made = self.books(vectors, generator)
            commitment = made.commitment_error + made.total_error
            return Passed(made.vectors, made.codes, made.codebook_error, commitment, nothing)
        if self.log_variance is None:
            return Passed(vectors, None, nothing, nothing, nothing)
        log_variance = self.log_variance(vectors).clamp(-12, 6)
        divergence = 0.5 * (vectors**2 + log_variance.exp() - log_variance - 1).mean()
        if generator is not None:
            drawn = torch.randn(vectors.shape, generator=generator, device=generator.device)
            vectors = vectors + (log_variance / 2).exp() * drawn.to(vectors)
        return Passed(vectors, None, nothing, nothing, divergence)
