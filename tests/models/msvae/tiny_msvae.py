"""Models small enough to do their sums by hand, and the sums done so: loops and grids."""

import math
from dataclasses import replace
from itertools import product

import torch

from diarize.models.msvae.config import MSVAESettings
from diarize.models.msvae.model import MSVAE

TINY = MSVAESettings(
    n_streams=3,
    n_values=4,
    n_latents=2,
    encoder="separate",
    encoder_widths=(6,),
    decoder_widths=(5,),
    posterior="exact",
    n_patterns=4,
    most_candidates=3,
    scale=0.3,
)
SQUARE = replace(TINY, n_values=16, encoder="shared", encoder_widths=(3, 4, 6))
PRESENCE = (0.2, 0.55, 0.4, 0.7, 0.35)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def made(settings=TINY, seed=0, **changes):
    """A model in double precision and eval mode, whose streams differ in all they can."""
    settings = replace(settings, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MSVAE(settings).double()
    generator = chance(seed + 100)
    with torch.no_grad():
        for parameters in (model.encoders, model.decoders):
            for one in parameters.parameters():
                one += 0.2 * torch.randn(one.shape, generator=generator, dtype=one.dtype)
        presence = [PRESENCE[stream % len(PRESENCE)] for stream in range(settings.n_streams)]
        model.presence.copy_(torch.tensor(presence))
    return model.eval()


def mixtures(model, n_mixtures, seed=1):
    """What `model` itself would give, noise and all, or nearly."""
    settings, generator = model.settings, chance(seed)
    n_latents = model.encoders.n_latents
    latents = torch.randn(n_mixtures, settings.n_streams, n_latents, generator=generator)
    on = torch.rand(n_mixtures, settings.n_streams, generator=generator) < 0.5
    with torch.no_grad():
        sources = model.decoders(latents.to(model.scale.dtype))
    noise = torch.randn(n_mixtures, settings.n_values, generator=generator)
    return (on[:, :, None] * sources).sum(1) + 0.1 * noise


def log_joint_by_hand(x, sources, pattern, presence, scale, noise, log_ratio=None):
    """log p(x, s | z), number by number, and what the latents of streams that are on cost."""
    x, sources = x.tolist(), sources.tolist()
    total = 0.0
    for value in range(len(x)):
        mean = sum(on * sources[stream][value] for stream, on in enumerate(pattern))
        off = x[value] - mean
        if noise == "laplace":
            total += math.log(math.exp(-abs(off) / scale) / (2 * scale))
        else:
            normal = math.exp(-0.5 * (off / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
            total += math.log(normal)
    for stream, on in enumerate(pattern):
        total += math.log(float(presence[stream]) if on else 1 - float(presence[stream]))
        if log_ratio is not None and on:
            total += float(log_ratio[stream])
    return total


def log_evidence_by_hand(x, sources, presence, scale, noise, log_ratio=None):
    """log of the sum over all patterns, one after the other."""
    return math.log(
        sum(
            math.exp(log_joint_by_hand(x, sources, pattern, presence, scale, noise, log_ratio))
            for pattern in product((0, 1), repeat=len(sources))
        )
    )


def log_normal(values, mean=0.0, log_variance=0.0):
    """log N(values; mean, exp(log_variance)), summed over the last axis."""
    log_variance = torch.as_tensor(log_variance, dtype=torch.float64)
    deviation = (values - mean) ** 2 / log_variance.exp()
    return -0.5 * (deviation + log_variance + math.log(2 * math.pi)).sum(-1)


@torch.no_grad()
def evidence_by_integration(model, x, n_points=1201, widest=7.0):
    """p(x) of a model with one latent a stream and at most two streams, on a grid of latents."""
    settings, observed = model.settings, model.observation
    grid = torch.linspace(-widest, widest, n_points, dtype=torch.float64)
    weights = log_normal(grid[:, None]).exp() * (grid[1] - grid[0])
    everywhere = grid[:, None, None].expand(-1, settings.n_streams, 1)
    sources = model.decoders(everywhere)
    total = 0.0
    for pattern in product((0, 1), repeat=settings.n_streams):
        prior = 1.0
        for pi, on in zip(observed.presence.tolist(), pattern, strict=True):
            prior *= pi if on else 1 - pi
        on = [stream for stream, is_on in enumerate(pattern) if is_on]
        if len(on) == 2:
            mean = sources[:, None, 0] + sources[None, :, 1]
            mass = weights[:, None] * weights[None, :]
        else:
            mean = sources[:, on].sum(1)
            mass = weights if on else weights / weights.sum()
        off = (x - mean) / observed.scale
        if settings.noise == "laplace":
            density = (-off.abs()).exp() / (2 * observed.scale)
        else:
            density = (-0.5 * off**2).exp() / (observed.scale * math.sqrt(2 * math.pi))
        total += prior * float((mass * density.prod(-1)).sum())
    return total
