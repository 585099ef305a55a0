"""What an MS-VAE is trained for, and the updates that have a closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.layers.noise import NoiseKind, likeliest_scale
from diarize.models.msvae.posterior import PatternPosterior

PRESENCE_RANGE = (1e-4, 1 - 1e-4)  # a stream that an epoch never heard may yet come
LEAST_SCALE = 1e-5


@dataclass(frozen=True)
class Bound:
    """The free energy of each mixture: at most log p(x), in expectation over the latents drawn.

    Attributes:
        evidence: log of the sum over patterns; in nats.
        divergence: what the latents are charged besides; zeros where they are charged inside.
    """

    evidence: Float[Tensor, " batch"]
    divergence: Float[Tensor, " batch"]

    @property
    def value(self) -> Float[Tensor, " batch"]:
        """The bound, in nats.

        Source: arXiv 2510.15669, the free energy with its exact posterior put in.
        """
        return self.evidence - self.divergence


class Statistics(nn.Module):
    """Sums over an epoch, from which presence and scale are set at its end.

    They are buffers, so that a training that was stopped goes on with the sums it had.
    """

    def __init__(self, n_streams: int) -> None:
        super().__init__()
        self.presence: Tensor
        self.distance: Tensor
        self.count: Tensor
        self.register_buffer("presence", torch.zeros(n_streams, dtype=torch.float64))
        self.register_buffer("distance", torch.zeros((), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def add(self, posterior: PatternPosterior, rows: Tensor) -> None:
        """Add the mixtures at `rows` (true for those that count)."""
        self.presence += posterior.presence[rows].double().sum(0)
        self.distance += posterior.mean_distance[rows].double().sum()
        self.count += rows.sum()

    @torch.no_grad()
    def clear(self) -> None:
        """Begin a new epoch."""
        for total in (self.presence, self.distance, self.count):
            total.zero_()

    def likeliest_presence(self) -> Float[Tensor, " stream"]:
        """pi_h = mean of q(s_h = 1|x).

        Source: arXiv 2510.15669, the M-step of pi.
        """
        return (self.presence / self.count).clamp(*PRESENCE_RANGE).float()

    def likeliest_scale(self, noise: NoiseKind, n_values: int) -> float:
        """b = mean of E_q |x - m| over all values, or the root of the mean of squares.

        Source: arXiv 2510.15669, the M-step of b.
        """
        mean = float(self.distance / self.count)
        return max(likeliest_scale(noise, mean, n_values), LEAST_SCALE)
