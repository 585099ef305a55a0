"""Who is in a mixture: which streams a trained MS-VAE hears, how sure it is, what each is like."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.errors import BadCall
from diarize.layers.patterns import patterns_of_size
from diarize.models.contract import Attribution
from diarize.models.msvae.polish import polished_sources
from diarize.models.msvae.posterior import (
    Observation,
    PatternPosterior,
    choose_candidates,
    weigh_patterns,
)

if TYPE_CHECKING:
    from diarize.models.msvae.model import MSVAE, Explanation

MOST_PATTERNS = 4096  # of a given size, that are all weighed; of more, those of likely streams are


@torch.no_grad()
def attribute(
    model: MSVAE,
    mixtures: Float[Tensor, "batch value"],
    count: int | None = None,
    *,
    n_samples: int = 0,
    generator: torch.Generator | None = None,
) -> Attribution:
    """Which streams each mixture has, by the readout of `model`, which is put into eval mode.

    Args:
        model: a trained one.
        mixtures: what is seen.
        count: how many streams are on, where that is known; then all patterns of that size are
            taken to be equally likely beforehand. Otherwise the learned presence is the prior.
        n_samples: draws of the latents, over which p(x, s) is averaged for each pattern, or, in a
            model with the full divergence, q(s|z, x), as in the paper; 0 takes the latents at
            their mean, which is quicker.
        generator: draws them.

    Raises:
        BadCall: a count that cannot be; samples without a generator.

    Source: arXiv 2510.15669, the posterior with and without the number of sources given.
    """
    if n_samples < 0:
        raise BadCall(f"{n_samples} samples; 0 or more would be right")
    if n_samples and generator is None:
        raise BadCall(f"{n_samples} samples want a generator to draw them")
    model.eval()
    patterns = None if count is None else _of_size(model, mixtures, count)
    explained = model.explain(mixtures, patterns=patterns)
    posterior, sources = explained.posterior, explained.sources
    if count is not None or n_samples:
        posterior = _weighed_anew(
            model, mixtures, explained, count is not None, n_samples, generator
        )
    if model.settings.readout == "weighed":
        posterior = model.readout(posterior, explained.latents.proposal)
    pattern = posterior.best > 0
    if n_steps := model.settings.polish_steps:
        sources = polished_sources(model, mixtures, explained.latents.mean, pattern, n_steps)
    return Attribution(sources, pattern, posterior.probability.amax(1), posterior.presence)


def _of_size(model: MSVAE, mixtures: Tensor, count: int) -> Float[Tensor, "batch pattern stream"]:
    """All patterns with `count` streams on; of likely streams alone where there are too many."""
    n_streams = model.settings.n_streams
    if not 0 <= count <= n_streams:
        raise BadCall(f"{count} sources in a mixture; 0 to {n_streams} can be")
    if math.comb(n_streams, count) <= MOST_PATTERNS:
        return patterns_of_size(n_streams, count)[None].to(mixtures)
    most = max(size for size in range(n_streams) if math.comb(size, count) <= MOST_PATTERNS)
    candidates = choose_candidates(model.encoders(mixtures).proposal, max(most, count))
    streams = candidates.nonzero()[:, 1].view(len(mixtures), -1)
    chosen = patterns_of_size(streams.shape[1], count).to(mixtures)
    everywhere = streams[:, None].expand(-1, len(chosen), -1)
    patterns = candidates.new_zeros(len(mixtures), len(chosen), n_streams)
    return patterns.scatter_(2, everywhere, chosen.expand(len(mixtures), -1, -1))


def _weighed_anew(
    model: MSVAE,
    mixtures: Tensor,
    explained: Explanation,
    evenly: bool,
    n_samples: int,
    generator: torch.Generator | None,
) -> PatternPosterior:
    """The posterior over the same patterns with another prior, or averaged over draws."""
    latents, before = explained.latents, explained.posterior
    observation = model.observation
    if evenly:
        even = torch.full_like(model.presence, 0.5)
        observation = Observation(observation.noise, observation.scale, even)
    full = model.settings.divergence == "full"
    if not n_samples:
        ratio = None if full else -latents.divergence()
        return weigh_patterns(mixtures, explained.sources, before.patterns, observation, ratio)
    drawn = []
    for _ in range(n_samples):
        sample = latents.sample(generator)
        ratio = None if full else latents.log_ratio(sample)
        drawn.append(
            weigh_patterns(mixtures, model.decoders(sample), before.patterns, observation, ratio)
        )
    # gated, what is drawn estimates p(x, s); else only q(s | z, x) has a meaning of its own
    weights = [one.log_joint.log_softmax(1) if full else one.log_joint for one in drawn]
    log_joint = torch.stack(weights).logsumexp(0) - math.log(n_samples)
    log_joint = log_joint.masked_fill(before.log_joint.isneginf(), -torch.inf)
    distances = torch.stack([one.distances for one in drawn]).mean(0)
    return PatternPosterior(before.patterns, log_joint, distances)
