"""Which streams are on: the posterior over patterns, all of them or the likeliest few."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from diarize.layers.noise import NoiseKind, distance, distances_between, log_density
from diarize.layers.patterns import all_patterns, likeliest_patterns, repeated

PATTERNS_AT_ONCE = 64  # more are weighed in parts, so that memory does not grow with 2^H


@dataclass(frozen=True)
class Observation:
    """How an observation comes from the streams that are on: their sum, and noise.

    Attributes:
        noise: kind of it.
        scale: b of Laplace noise, the standard deviation of Gaussian noise.
        presence: pi_h, the probability of each stream to be on.
    """

    noise: NoiseKind
    scale: Float[Tensor, ""]
    presence: Float[Tensor, " stream"]

    def log_prior(self, patterns: Float[Tensor, "*any stream"]) -> Float[Tensor, "*any"]:
        """log p(s) of patterns.

        Source: arXiv 2510.15669, the Bernoulli prior.
        """
        on, off = self.presence.log(), torch.log1p(-self.presence)
        return patterns @ (on - off) + off.sum()


@dataclass(frozen=True)
class PatternPosterior:
    """The patterns weighed for each mixture, and what they weigh.

    Attributes:
        patterns: those weighed; rows that repeat another have no weight.
        log_joint: log p(x, s) of each, in nats, up to what the latents' divergence adds.
        distances: of the observation from the mean under each.
    """

    patterns: Float[Tensor, "batch pattern stream"]
    log_joint: Float[Tensor, "batch pattern"]
    distances: Float[Tensor, "batch pattern"]

    @cached_property
    def log_evidence(self) -> Float[Tensor, " batch"]:
        """log of the sum over the patterns, the free energy at its best q(s): sum, not maximum."""
        return self.log_joint.logsumexp(1)

    @cached_property
    def probability(self) -> Float[Tensor, "batch pattern"]:
        """q(s|x) of each pattern weighed; sums to one."""
        return self.log_joint.softmax(1)

    @cached_property
    def presence(self) -> Float[Tensor, "batch stream"]:
        """q(s_h = 1|x), the marginal of each stream."""
        return torch.einsum("bp,bps->bs", self.probability, self.patterns)

    @cached_property
    def best(self) -> Float[Tensor, "batch stream"]:
        """The likeliest pattern of each mixture."""
        rows = torch.arange(len(self.patterns), device=self.patterns.device)
        return self.patterns[rows, self.log_joint.argmax(1)]

    @cached_property
    def mean_distance(self) -> Float[Tensor, " batch"]:
        """The expected distance of the observation from its mean, under q(s|x)."""
        return (self.probability * self.distances).sum(1)


def weigh_patterns(
    mixtures: Float[Tensor, "batch value"],
    sources: Float[Tensor, "batch stream value"],
    patterns: Float[Tensor, "#batch pattern stream"],
    observation: Observation,
    log_ratio: Float[Tensor, "batch stream"] | None = None,
) -> PatternPosterior:
    """Weigh `patterns` for each mixture, given what each stream would look like.

    The same patterns for all mixtures may be given once. With `log_ratio`, log p(z_h)/q(z_h|x) of
    each stream, the latents are charged in the patterns that have their stream on ("gated"): the
    sum over all patterns of exp(log_joint) is then an unbiased estimate of p(x) if the sources
    come from one draw of q, and its log, on average, a lower bound on log p(x).

    Source: arXiv 2510.15669, the exact posterior; the gate is ours.
    """
    patterns = patterns.expand(len(mixtures), -1, -1)
    distances = _distances(mixtures, sources, patterns, observation.noise)
    return _weighed(patterns, distances, mixtures.shape[1], observation, log_ratio)


def weigh_all_patterns(
    mixtures: Float[Tensor, "batch value"],
    sources: Float[Tensor, "batch stream value"],
    observation: Observation,
    log_ratio: Float[Tensor, "batch stream"] | None = None,
) -> PatternPosterior:
    """Weigh all 2^H patterns, in lexicographic order; as `weigh_patterns`, some ten times as quick.

    What the first half of the streams leave of a mixture is compared with what the second half
    add up to, so that no sum over all patterns is ever in memory.

    Source: arXiv 2510.15669, the exact posterior; the two halves are ours.
    """
    half = sources.shape[1] // 2
    left = mixtures[:, None]
    if half:
        left = left - torch.matmul(all_patterns(half).to(sources), sources[:, :half])
    right = all_patterns(sources.shape[1] - half).to(sources)
    right = torch.matmul(right, sources[:, half:])
    distances = distances_between(observation.noise, left, right).flatten(1)
    patterns = all_patterns(sources.shape[1]).to(sources).expand(len(mixtures), -1, -1)
    return _weighed(patterns, distances, mixtures.shape[1], observation, log_ratio)


def _weighed(
    patterns: Tensor,
    distances: Tensor,
    n_values: int,
    observation: Observation,
    log_ratio: Tensor | None,
) -> PatternPosterior:
    log_joint = log_density(observation.noise, distances, n_values, observation.scale)
    log_joint = log_joint + observation.log_prior(patterns)
    if log_ratio is not None:
        log_joint = log_joint + torch.einsum("bps,bs->bp", patterns, log_ratio)
    return PatternPosterior(patterns, log_joint, distances)


def joined(first: PatternPosterior, more: PatternPosterior) -> PatternPosterior:
    """The posterior over the patterns of both."""
    return PatternPosterior(
        torch.cat([first.patterns, more.patterns], 1),
        torch.cat([first.log_joint, more.log_joint], 1),
        torch.cat([first.distances, more.distances], 1),
    )


def without_repeats(posterior: PatternPosterior) -> PatternPosterior:
    """The posterior with the weight of repeated patterns taken away."""
    return _without(posterior, repeated(posterior.patterns))


def without_first_again(posterior: PatternPosterior) -> PatternPosterior:
    """The posterior with the weight taken away of later patterns that repeat the first."""
    again = (posterior.patterns == posterior.patterns[:, :1]).all(2)
    again[:, 0] = False
    return _without(posterior, again)


def choose_candidates(
    proposal: Float[Tensor, "batch stream"], most: int
) -> Float[Tensor, "batch stream"]:
    """Ones at the `most` streams of each mixture that the proposal finds likeliest."""
    if most >= proposal.shape[1]:
        return torch.ones_like(proposal)
    return torch.zeros_like(proposal).scatter_(1, proposal.topk(most, 1).indices, 1.0)


def propose_patterns(
    proposal: Float[Tensor, "batch stream"],
    candidates: Float[Tensor, "batch stream"],
    n_patterns: int,
) -> Float[Tensor, "batch pattern stream"]:
    """The `n_patterns` likeliest patterns under the proposal, with none but candidates on."""
    never = torch.finfo(proposal.dtype).min / (4 * proposal.shape[1])
    return likeliest_patterns(proposal.masked_fill(candidates == 0, never), n_patterns)


def grow_patterns(
    best: Float[Tensor, "batch stream"], candidates: Float[Tensor, "batch stream"]
) -> Float[Tensor, "batch near stream"]:
    """The patterns that are one change of a candidate away from the `best` of each mixture.

    Mixtures with fewer candidates than others have their best pattern itself in place of more.
    """
    index = candidates.topk(int(candidates.sum(1).max()), 1).indices
    changes = nn.functional.one_hot(index, best.shape[1]).to(best)
    return (best[:, None] - changes * candidates.gather(1, index)[:, :, None]).abs()


class Readout(nn.Module):
    """q(s|x) in proportion to p(x, s)^(1/temperature) r(s|x)^trust, r being the proposal.

    The streams of a trained model are nearly right, not exactly; where hundreds of values are off
    by a little, its posterior is surer than it should be. Temperature and trust are learned with
    everything else on mixtures whose pattern is known, for these to be likeliest.
    """

    def __init__(self, temperature: float, trust: float) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log())
        self.trust = nn.Parameter(torch.tensor(trust))

    def forward(
        self, posterior: PatternPosterior, proposal: Float[Tensor, "batch stream"]
    ) -> PatternPosterior:
        """The same patterns, weighed so."""
        off = functional.logsigmoid(-proposal).sum(1, keepdim=True)
        guess = torch.einsum("bps,bs->bp", posterior.patterns, proposal) + off
        never = posterior.log_joint.isneginf()  # an infinity would make the gradient none
        cooled = posterior.log_joint.masked_fill(never, 0) * (-self.log_temperature).exp()
        log_joint = (cooled + self.trust * guess).masked_fill(never, -torch.inf)
        return PatternPosterior(posterior.patterns, log_joint, posterior.distances)


def proposal_cross_entropy(
    proposal: Float[Tensor, "batch stream"], presence: Float[Tensor, "batch stream"]
) -> Float[Tensor, " batch"]:
    """How far the proposal is from the marginals of a posterior, in nats, no gradient to these."""
    return functional.binary_cross_entropy_with_logits(
        proposal, presence.detach(), reduction="none"
    ).sum(1)


def _without(posterior: PatternPosterior, rows: Tensor) -> PatternPosterior:
    log_joint = posterior.log_joint.masked_fill(rows, -torch.inf)
    return PatternPosterior(posterior.patterns, log_joint, posterior.distances)


def _distances(
    mixtures: Tensor, sources: Tensor, patterns: Tensor, noise: NoiseKind
) -> Float[Tensor, "batch pattern"]:
    def some(mixtures: Tensor, sources: Tensor, patterns: Tensor) -> Tensor:
        return distance(noise, mixtures[:, None], torch.matmul(patterns, sources))

    parts = patterns.split(PATTERNS_AT_ONCE, 1)
    if len(parts) == 1:
        return some(mixtures, sources, patterns)
    if torch.is_grad_enabled() and sources.requires_grad:
        return torch.cat(
            [checkpoint(some, mixtures, sources, part, use_reentrant=False) for part in parts], 1
        )
    return torch.cat([some(mixtures, sources, part) for part in parts], 1)
