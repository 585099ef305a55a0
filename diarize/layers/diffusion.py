"""Diffusion of latents: noise levels, the way up to noise, and samplers back down.

A datum at level t is `signal[t] * clean + noise[t] * (standard normal noise)`. Level 0 is the clean
datum (signal 1, noise 0), the last level is (nearly) nothing but noise. Whoever predicts the clean
datum from a noisy one can predict the noise in it, and the other way round.

Source: J. Ho and others, "Denoising diffusion probabilistic models", 2020 (arXiv 2006.11239); J.
Song and others, "Denoising diffusion implicit models", 2020 (arXiv 2010.02502).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diarize.errors import BadCall

MOST_LOST = 0.999  # of the power of the signal, in one step
Denoiser = Callable[[Tensor, Tensor], Tensor]  # (noisy, its levels) -> the clean data


@dataclass(frozen=True)
class Levels:
    """How much signal and how much noise there is at levels 0 to T.

    Attributes:
        signal: the factor of the clean datum; 1 at level 0.
        noise: the standard deviation of the noise; 0 at level 0, and growing.
    """

    signal: Float[Tensor, " level"]
    noise: Float[Tensor, " level"]

    @property
    def n_steps(self) -> int:
        """T, the number of the last level."""
        return len(self.signal) - 1

    def at(
        self, level: Int[Tensor, " batch"], like: Float[Tensor, "batch ..."]
    ) -> tuple[Float[Tensor, "batch ..."], Float[Tensor, "batch ..."]]:
        """Signal and noise of the level of each datum, shaped to be multiplied with `like`."""
        shape = (-1, *[1] * (like.ndim - 1))
        here = level.to(self.signal.device)
        signal, noise = self.signal[here].to(like), self.noise[here].to(like)
        return signal.view(shape), noise.view(shape)

    def signal_to_noise(self) -> Float[Tensor, " level"]:
        """Power of the signal over that of the noise at each level; infinite at level 0."""
        return self.signal.square() / self.noise.square()


def preserving(kept: Float[Tensor, " level"]) -> Levels:
    """Levels at which a share `kept` of the power is signal and the rest is noise.

    `kept` starts at 1 and falls; no step takes more than `MOST_LOST` of what there is.
    """
    lost = (1 - kept[1:] / kept[:-1]).clamp(0, MOST_LOST)
    power = torch.cat([torch.ones_like(kept[:1]), torch.cumprod(1 - lost, 0)])
    return Levels(power.sqrt().float(), (1 - power).sqrt().float())


def sigmoid_levels(n_steps: int, start: float = -3.0, end: float = 3.0, tau: float = 1.0) -> Levels:
    """The power of the signal falls as a sigmoid, taken from `start` to `end` over `tau`.

    Source: T. Chen, "On the importance of noise scheduling for diffusion models", 2023 (arXiv
    2301.10972), algorithm 1.

    >>> levels = sigmoid_levels(1000)
    >>> levels.n_steps, round(levels.signal[500].square().item(), 3)
    (1000, 0.5)
    """
    time = _time(n_steps)
    first, last = (1 / (1 + math.exp(-edge / tau)) for edge in (start, end))
    now = torch.sigmoid((time * (end - start) + start) / tau)
    return preserving((last - now) / (last - first))


def cosine_levels(n_steps: int, offset: float = 0.008) -> Levels:
    """The power of the signal falls as a squared cosine.

    Source: A. Nichol and P. Dhariwal, "Improved denoising diffusion probabilistic models", 2021
    (arXiv 2102.09672), equation 17.
    """
    angle = (_time(n_steps) + offset) / (1 + offset) * math.pi / 2
    kept = angle.cos().square()
    return preserving(kept / kept[0])


def linear_levels(n_steps: int, first: float = 1e-4, last: float = 0.02) -> Levels:
    """Each step takes a share of the power that grows linearly; `first`, `last` for 1,000 steps.

    Source: arXiv 2006.11239, section 4.
    """
    _time(n_steps)
    share = torch.linspace(first, last, n_steps, dtype=torch.float64) * (1000 / n_steps)
    kept = torch.cumprod(1 - share.clamp(max=MOST_LOST), 0)
    return preserving(torch.cat([torch.ones(1, dtype=torch.float64), kept]))


def exploding(noise: Float[Tensor, " level"]) -> Levels:
    """Levels at which the signal stays whole and noise of these standard deviations is added.

    Raises:
        BadCall: noise that does not start at 0 or does not grow.
    """
    if noise[0] != 0 or not bool((noise.diff() > 0).all()):
        raise BadCall("noise levels must start at 0 and grow from each to the next")
    return Levels(torch.ones_like(noise), noise)


def noised(
    clean: Float[Tensor, "batch ..."],
    level: Int[Tensor, " batch"],
    levels: Levels,
    noise: Float[Tensor, "batch ..."],
) -> Float[Tensor, "batch ..."]:
    """The data at their levels, with that standard normal noise (arXiv 2006.11239, equation 4)."""
    signal, spread = levels.at(level, clean)
    return signal * clean + spread * noise


def noise_in(
    noisy: Float[Tensor, "batch ..."],
    clean: Float[Tensor, "batch ..."],
    level: Int[Tensor, " batch"],
    levels: Levels,
) -> Float[Tensor, "batch ..."]:
    """The standard normal noise in noisy data whose clean form is known; levels from 1."""
    signal, spread = levels.at(level, noisy)
    return (noisy - signal * clean) / spread


def clean_under(
    noisy: Float[Tensor, "batch ..."],
    noise: Float[Tensor, "batch ..."],
    level: Int[Tensor, " batch"],
    levels: Levels,
) -> Float[Tensor, "batch ..."]:
    """The clean form of noisy data whose standard normal noise is known."""
    signal, spread = levels.at(level, noisy)
    return (noisy - spread * noise) / signal


def posterior_variance(
    spread_here: Float[Tensor, "*shape"],
    spread_there: Float[Tensor, "*shape"],
    ratio: Float[Tensor, "*shape"] | float = 1.0,
) -> Float[Tensor, "*shape"]:
    """The variance of data one step further down, when the clean data and those here are known.

    `ratio` is the signal here over the signal there: 1 where noise is only added.

    >>> posterior_variance(torch.tensor(2.0), torch.tensor(1.0)).item()
    0.75
    """
    return spread_there**2 * (1 - (ratio * spread_there / spread_here) ** 2).clamp(min=0)


def step_down(
    mean_there: Float[Tensor, "batch ..."],
    noise: Float[Tensor, "batch ..."],
    spread_there: Float[Tensor, "*shape"],
    variance: Float[Tensor, "*shape"] | None = None,
    fresh: Float[Tensor, "batch ..."] | None = None,
) -> Float[Tensor, "batch ..."]:
    """Data one step further down, where their mean is `mean_there` and their spread `spread_there`.

    `noise` is the standard normal noise in the data as they are. Without more, all of it is kept:
    the deterministic step (DDIM). Of `variance`, at most that of the posterior, `fresh` standard
    normal noise takes its place; with the whole `posterior_variance` the step is ancestral. The
    mean may be any function of the level, so that this serves diffusions whose mean moves:
    z_here = z_there + (mean_here - mean_there) + sqrt(spread_here^2 - spread_there^2) * more noise.

    Source: arXiv 2010.02502, equation 12.
    """
    if variance is None or fresh is None:
        return mean_there + spread_there * noise
    kept = (spread_there**2 - variance).clamp(min=0).sqrt()
    return mean_there + kept * noise + variance.sqrt() * fresh


def few_levels(n_steps: int, n_wanted: int) -> tuple[int, ...]:
    """Levels from `n_steps` down to 0, in `n_wanted` steps as even as whole numbers allow.

    >>> few_levels(10, 4)
    (10, 8, 5, 2, 0)
    """
    if not 1 <= n_wanted <= n_steps:
        raise BadCall(f"{n_wanted} steps of a diffusion of {n_steps}; expected 1 to {n_steps}")
    return tuple(round(n_steps * step / n_wanted) for step in range(n_wanted, -1, -1))


def run_down(
    denoiser: Denoiser,
    noisy: Float[Tensor, "batch ..."],
    levels: Levels,
    path: Sequence[int],
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """What noisy data at level `path[0]` become on their way down along `path`.

    `denoiser` predicts the clean data. With `eta` 0 the way is deterministic (DDIM); with 1 and
    every level in the path it is ancestral (DDPM), its chance coming from `generator`.

    Raises:
        BadCall: a path that does not fall, or leaves the levels; eta outside 0 to 1.
    """
    if not 0 <= eta <= 1:
        raise BadCall(f"eta = {eta}; expected 0 (deterministic) to 1 (ancestral)")
    steps = list(pairwise(path))
    if not steps or any(here <= there for here, there in steps):
        raise BadCall(f"levels {list(path)[:6]}; expected at least two, each under the one before")
    if path[0] > levels.n_steps or path[-1] < 0:
        raise BadCall(f"levels {path[0]} to {path[-1]}; there are {levels.n_steps} to 0")
    for here, there in steps:
        level = torch.full((len(noisy),), here, device=noisy.device)
        clean = denoiser(noisy, level)
        if there == 0:
            noisy = clean
            continue
        noise = noise_in(noisy, clean, level, levels)
        signal, spread = levels.at(level, noisy)
        signal_there, spread_there = levels.at(torch.full_like(level, there), noisy)
        variance, fresh = None, None
        if eta:
            variance = eta**2 * posterior_variance(spread, spread_there, signal / signal_there)
            fresh = torch.randn(noisy.shape, generator=generator, device=_home(generator, noisy))
            fresh = fresh.to(noisy)
        noisy = step_down(signal_there * clean, noise, spread_there, variance, fresh)
    return noisy


def ancestral_sample(
    denoiser: Denoiser,
    shape: Sequence[int],
    levels: Levels,
    generator: torch.Generator,
) -> Float[Tensor, "batch ..."]:
    """Samples by every level from noise (arXiv 2006.11239, algorithm 2)."""
    start = levels.noise[-1].item() * torch.randn(*shape, generator=generator)
    path = range(levels.n_steps, -1, -1)
    return run_down(denoiser, start, levels, path, 1.0, generator)


def ddim_sample(
    denoiser: Denoiser,
    shape: Sequence[int],
    levels: Levels,
    n_steps: int,
    generator: torch.Generator,
    *,
    eta: float = 0.0,
) -> Float[Tensor, "batch ..."]:
    """Samples from noise in `n_steps` steps (arXiv 2010.02502, equation 12)."""
    start = levels.noise[-1].item() * torch.randn(*shape, generator=generator)
    path = few_levels(levels.n_steps, n_steps)
    return run_down(denoiser, start, levels, path, eta, generator)


def level_embedding(
    level: Float[Tensor, " batch"] | Int[Tensor, " batch"], width: int, longest: float = 10_000.0
) -> Float[Tensor, "batch width"]:
    """Sines and cosines of the level, at wavelengths from 2 pi to 2 pi times `longest`.

    Source: arXiv 1706.03762, section 3.5.
    """
    if width < 4 or width % 2:
        raise BadCall(f"an embedding of width {width}; expected an even number from 4")
    half = torch.arange(width // 2, device=level.device, dtype=torch.float32)
    rates = torch.exp(-math.log(longest) * half / (width // 2 - 1))
    angle = level[:, None].float() * rates
    return torch.cat([angle.sin(), angle.cos()], 1)


def _home(generator: torch.Generator | None, values: Tensor) -> torch.device:
    return values.device if generator is None else generator.device


def _time(n_steps: int) -> Float[Tensor, " level"]:
    if n_steps < 2:
        raise BadCall(f"a diffusion of {n_steps} steps; expected 2 or more")
    return torch.linspace(0, 1, n_steps + 1, dtype=torch.float64)
