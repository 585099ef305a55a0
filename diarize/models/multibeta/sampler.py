"""Latents taken down from a high level to the lowest, step by step.

The way up is z_here = z_there + (mean_here - mean_there) + sqrt(sigma_here^2 - sigma_there^2) eps:
at each level its latents are those of the encoder. On the way down both the noise in a latent and
the way its mean moves must be known; with means that stay it is a variance-exploding diffusion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.errors import BadCall
from diarize.layers.diffusion import posterior_variance, step_down
from diarize.models.multibeta.levels import in_use

_NOTHING = 1e-6

# (noisy, its level, a lower level) -> the noise in it, the difference of the lower level's mean
Guess = Callable[[Tensor, int, int], tuple[Tensor, Tensor]]


def path_down(start: int, n_steps: int) -> tuple[int, ...]:
    """Levels from `start` down to 0, in `n_steps` even steps, or as many as there are.

    >>> path_down(10, 4)
    (10, 8, 5, 2, 0)
    """
    if n_steps < 1:
        raise BadCall(f"{n_steps} steps of a diffusion; expected 1 or more")
    n_steps = min(n_steps, start)
    return tuple(round(start * step / n_steps) for step in range(n_steps, -1, -1)) or (0,)


def path_by_noise(
    sigma: Float[Tensor, "level latent"], start: int, n_steps: int
) -> tuple[int, ...]:
    """Levels from `start` down to 0 in at most `n_steps` steps, shorter where noise goes faster.

    Each step takes as much of the share of levels and the share of noise together: the mean over
    the latents that are in use, whose noise the others' would drown.

    >>> late = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0])[:, None]
    >>> path_by_noise(late, 10, 4)
    (10, 8, 6, 4, 0)
    """
    if start < 1 or n_steps < 1:
        return path_down(start, n_steps)
    used = in_use(sigma)
    mean = (sigma[:, used] if bool(used.any()) else sigma).mean(1)[: start + 1]
    gone = (mean - mean[0]) / (mean[-1] - mean[0]).clamp(min=_NOTHING)
    place = gone.cpu().double() + torch.linspace(0, 1, start + 1, dtype=torch.float64)
    wanted = torch.linspace(float(place[-1]), 0.0, n_steps + 1, dtype=torch.float64)
    above = torch.searchsorted(place, wanted).clamp(1, start)
    share = (wanted - place[above - 1]) / (place[above] - place[above - 1])
    levels = (above - 1 + share.clamp(0, 1)).round().int().tolist()
    return tuple(sorted(set(levels), reverse=True))


def run_down(
    guess: Guess,
    noisy: Float[Tensor, "batch latent"],
    sigma: Float[Tensor, "level latent"],
    path: Sequence[int],
    eta: float,
    generator: torch.Generator,
) -> Float[Tensor, "batch latent"]:
    """The mean at level `path[-1]` of what latents at level `path[0]` become along the path.

    With `eta` 0 the noise that is found is kept from step to step, which is deterministic (as in
    DDIM), and how it changed since the last step is counted on for half of this one (the second
    order of Adams and Bashforth, in sigma). With 1 as much of it is drawn anew as the posterior
    has, which is ancestral. The last step leaves no noise.

    Raises:
        BadCall: a path that does not fall; `eta` outside of 0 to 1.

    Source: the posterior q(z_there | z_here, x) of the way up above; arXiv 2010.02502, equation 12.
    """
    if not 0 <= eta <= 1:
        raise BadCall(f"eta = {eta}; expected 0 (deterministic) to 1 (ancestral)")
    steps = list(pairwise(path))
    if any(here <= there for here, there in steps):
        raise BadCall(f"levels {list(path)[:6]}; expected each under the one before")
    before: tuple[Tensor, Tensor] | None = None  # of a step: its noise, and how much of it went
    for number, (here, there) in enumerate(steps, 1):
        noise, moved = guess(noisy, here, there)
        mean = noisy - sigma[here] * noise + moved
        if number == len(steps):
            return mean
        if eta:
            variance = eta**2 * posterior_variance(sigma[here], sigma[there])
            drawn = torch.randn(noisy.shape, generator=generator, device=generator.device)
            noisy = step_down(mean, noise, sigma[there], variance, drawn.to(noisy))
            continue
        going, kept = sigma[here] - sigma[there], noise
        if before is not None:
            kept = noise + _ahead(going, before[1]) * (noise - before[0])
        noisy, before = noisy + moved - going * kept, (noise, going)
    return noisy


def _ahead(
    going: Float[Tensor, " latent"], gone: Float[Tensor, " latent"]
) -> Float[Tensor, " latent"]:
    """Half of a step over the one before: how far noise will have changed in its middle."""
    return (going / (2 * gone.clamp(min=_NOTHING))).clamp(0, 1)
