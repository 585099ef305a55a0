"""Levels from the lowest beta (0) to the highest (1), and the noise of latents at each."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from diarize.errors import BadCall
from diarize.models.multibeta.config import MultiBetaSettings

FIRST_SIGMA = 0.05  # of an untrained curve at its ends
LAST_SIGMA = 0.99
EARLY = 0.25  # of the levels, over which growth is measured
LEAST_SIGNAL = 0.1  # of a latent's variance, 1 in all, without which it is not in use
_NOTHING = 1e-12


def beta_at(level: Float[Tensor, "*shape"], settings: MultiBetaSettings) -> Tensor:
    """Beta at levels from 0 to 1.

    >>> wide = MultiBetaSettings(lowest_beta=0.1, highest_beta=1000.0)
    >>> [round(one, 3) for one in beta_at(torch.tensor([0.0, 0.5, 1.0]), wide).tolist()]
    [0.1, 10.0, 1000.0]
    """
    low, high = settings.lowest_beta, settings.highest_beta
    if settings.spacing == "linear":
        return low + (high - low) * level
    return low * torch.exp(math.log(high / low) * level)


def level_of(beta: float, settings: MultiBetaSettings) -> float:
    """The level of a beta, 0 to 1.

    Raises:
        BadCall: it is outside of the range that the model was trained for.
    """
    low, high = settings.lowest_beta, settings.highest_beta
    slack = 1e-6 * high  # what rounding may add
    if not low - slack <= beta <= high + slack:
        raise BadCall(f"beta = {beta:g}; this model was trained for betas from {low:g} to {high:g}")
    if low == high:
        return 0.0
    if settings.spacing == "linear":
        level = (beta - low) / (high - low)
    else:
        level = math.log(max(beta, low) / low) / math.log(high / low)
    return min(max(level, 0.0), 1.0)


def trained_levels(settings: MultiBetaSettings, epoch: int) -> tuple[float, float]:
    """The lowest and the highest level that training draws in an epoch (from 0) of the first phase.

    >>> some = MultiBetaSettings(first_betas=(10.0, 100.0), widening=(2, 4))
    >>> [[round(one, 3) for one in trained_levels(some, epoch)] for epoch in (0, 2, 3, 4)]
    [[0.5, 0.75], [0.5, 0.75], [0.25, 0.875], [0.0, 1.0]]
    """
    if not settings.first_betas:
        return 0.0, 1.0
    low, high = (level_of(beta, settings) for beta in settings.first_betas)
    begin, end = settings.widening
    share = min(max((epoch - begin) / (end - begin), 0.0), 1.0)
    return low * (1 - share), high + (1 - high) * share


def level_features(level: Float[Tensor, " batch"], n_features: int) -> Float[Tensor, "batch _"]:
    """Slow cosines of a level: what networks are told of it changes smoothly with beta."""
    rates = torch.arange(n_features, device=level.device) * math.pi
    return torch.cos(level[:, None] * rates)


class SigmaCurve(nn.Module):
    """The standard deviation of each latent's noise, which grows with the level, up to 1.

    Its square is a sigmoid of a line that is bent at knots: so it is in a linear VAE, where the
    line is that of log beta less the log of what the latent explains. Each piece rises, whatever
    is learned, so that noise can always be added to get from one level to a higher one.
    """

    def __init__(self, n_latents: int, n_knots: int) -> None:
        super().__init__()
        self.n_knots = n_knots
        rise = (_height(LAST_SIGMA) - _height(FIRST_SIGMA)) / n_knots
        self.first = nn.Parameter(torch.full((n_latents,), _height(FIRST_SIGMA)))
        raw = math.log(math.expm1(rise))  # softplus makes the rise of it
        self.rises = nn.Parameter(torch.full((n_knots, n_latents), raw))

    def forward(self, level: Float[Tensor, " batch"]) -> Float[Tensor, "batch latent"]:
        """Log sigma at each level."""
        rises = nn.functional.softplus(self.rises)
        heights = torch.cat([self.first[None], self.first + rises.cumsum(0)])
        place = level.clamp(0, 1) * self.n_knots
        below = place.floor().clamp(max=self.n_knots - 1).long()
        share = (place - below)[:, None]
        height = heights[below] * (1 - share) + heights[below + 1] * share
        return 0.5 * nn.functional.logsigmoid(height)


def _height(sigma: float) -> float:
    return math.log(sigma**2 / (1 - sigma**2))


def growth_exponent(sigma: Float[Tensor, "level latent"]) -> float:
    """How noise grows from its start: its increase goes as the level to this power.

    Fitted to the mean over latents in the first quarter of the levels, of those that are still in
    use at its end (all, where none is): noise of the others comes to that of the prior there,
    whatever it does before. Below 1 most of the noise comes at once; a diffusion then has to leap
    over its last, finest steps.

    >>> level = torch.linspace(0, 1, 101)[:, None]
    >>> round(growth_exponent(0.1 + level**2), 3), round(growth_exponent(level.sqrt()), 3)
    (2.0, 0.5)
    """
    n_early = _n_early(len(sigma))
    used = in_use(sigma)
    counted = sigma[:, used] if bool(used.any()) else sigma
    rise = (counted - counted[:1]).detach().cpu().double().mean(1)
    level = torch.linspace(0, 1, len(rise), dtype=torch.float64)[1:n_early]
    across = level.log() - level.log().mean()
    up = rise[1:n_early].clamp(min=_NOTHING).log()
    return float((across * (up - up.mean())).sum() / across.square().sum())


def in_use(sigma: Float[Tensor, "level latent"]) -> Bool[Tensor, " latent"]:
    """Which latents still say something where the first quarter of the levels ends.

    A latent's variance is about 1: what of it is not noise, 1 - sigma^2, is signal.

    >>> in_use(torch.tensor([[0.1, 0.2], [0.5, 0.99], [0.9, 1.0], [0.97, 1.0]])).tolist()
    [True, False]
    """
    return 1 - sigma[_n_early(len(sigma)) - 1].square() >= LEAST_SIGNAL


def _n_early(n_levels: int) -> int:
    return min(max(3, round(EARLY * (n_levels - 1)) + 1), n_levels)


def sinusoidal(
    first: Float[Tensor, " latent"], last: Float[Tensor, " latent"], n_steps: int
) -> Float[Tensor, "level latent"]:
    """Noise that rises as a squared sine from `first` to `last`, over levels 0 to `n_steps`."""
    share = torch.linspace(0, math.pi / 2, n_steps + 1, device=first.device).sin().square()
    return first + (last - first) * share[:, None]


def schedule_of(
    learned: Float[Tensor, "level latent"],
    wanted: Literal["auto", "learned", "sinusoidal"],
    least_growth: float,
) -> tuple[Float[Tensor, "level latent"], float, bool]:
    """The noise of the second stage, how the learned one grows, and whether it was replaced."""
    growth = growth_exponent(learned)
    replaced = wanted == "sinusoidal" or (wanted == "auto" and growth < least_growth)
    if not replaced:
        return learned, growth, False
    return sinusoidal(learned[0], learned[-1], len(learned) - 1), growth, True
