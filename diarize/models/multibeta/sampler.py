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
    DDIM); with 1 as much of it is drawn anew as the posterior has, which is ancestral. The last
    step leaves no noise.

    Raises:
        BadCall: a path that does not fall; `eta` outside of 0 to 1.

    Source: the posterior q(z_there | z_here, x) of the way up above; arXiv 2010.02502, equation 12.
    """
    if not 0 <= eta <= 1:
        raise BadCall(f"eta = {eta}; expected 0 (deterministic) to 1 (ancestral)")
    steps = list(pairwise(path))
    if any(here <= there for here, there in steps):
        raise BadCall(f"levels {list(path)[:6]}; expected each under the one before")
    for number, (here, there) in enumerate(steps, 1):
        noise, moved = guess(noisy, here, there)
        mean = noisy - sigma[here] * noise + moved
        if number == len(steps):
            return mean
        variance, fresh = None, None
        if eta:
            variance = eta**2 * posterior_variance(sigma[here], sigma[there])
            drawn = torch.randn(noisy.shape, generator=generator, device=generator.device)
            fresh = drawn.to(noisy)
        noisy = step_down(mean, noise, sigma[there], variance, fresh)
    return noisy
