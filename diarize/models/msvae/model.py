"""The multi-stream variational autoencoder: streams that are on or off add up to what is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.errors import BadCall
from diarize.layers.patterns import MOST_STREAMS
from diarize.models.contract import Attribution, Batch, Losses
from diarize.models.msvae.attribute import attribute
from diarize.models.msvae.checks import check_inputs, check_size
from diarize.models.msvae.config import MSVAESettings
from diarize.models.msvae.losses import expert_loss, mixture_loss
from diarize.models.msvae.objective import Bound, Statistics
from diarize.models.msvae.posterior import (
    Observation,
    PatternPosterior,
    Readout,
    choose_candidates,
    grow_patterns,
    joined,
    propose_patterns,
    weigh_all_patterns,
    weigh_patterns,
    without_first_again,
    without_repeats,
)
from diarize.models.msvae.streams import Decoders, Encoders, Latents

ENCODER_SEED = 20251015  # of encoders that begin anew with the mixtures


@dataclass(frozen=True)
class Explanation:
    """How a model explains mixtures.

    Attributes:
        latents: what the encoders say.
        sources: what each stream looks like; zeros where it was no candidate.
        posterior: which streams are on.
        bound: on log p(x).
    """

    latents: Latents
    sources: Float[Tensor, "batch stream value"]
    posterior: PatternPosterior
    bound: Bound


class MSVAE(nn.Module):
    """Multi-stream VAE with binary latents s_h, continuous ones z_h, and an exact q(s|z, x).

    x = sum_h s_h mu_h(z_h) + noise, s_h ~ Bernoulli(pi_h), z_h ~ N(0, 1). Phases: "experts" trains
    each stream alone on labelled examples of its class; "mixtures" holds the decoders fixed (their
    normalisations too, in eval mode) and trains encoders, pi and b on mixtures; "refine" lets the
    decoders go on learning. Mixtures whose pattern is known may be among the others.

    Source: arXiv 2510.15669.
    """

    settings_type = MSVAESettings
    phases = ("experts", "mixtures", "refine")

    def __init__(self, settings: MSVAESettings) -> None:
        super().__init__()
        if settings.posterior == "exact" and settings.n_streams > MOST_STREAMS:
            raise BadCall(
                f"an exact posterior over {settings.n_streams} streams: {MOST_STREAMS} are the "
                'most; posterior = "truncated" would be right'
            )
        self.settings = settings
        self.phase = "mixtures"
        self.encoders = Encoders(settings)
        self.decoders = Decoders(settings)
        self.readout = Readout(settings.temperature, settings.trust)
        self.statistics = Statistics(settings.n_streams)
        self.presence: Tensor
        self.scale: Tensor
        self.register_buffer("presence", torch.full((settings.n_streams,), settings.presence))
        self.register_buffer("scale", torch.tensor(settings.scale))

    @property
    def observation(self) -> Observation:
        """How mixtures come from streams, as learned so far."""
        return Observation(self.settings.noise, self.scale, self.presence)

    def begin(self, phase: str) -> None:
        """Get ready to train `phase`; the decoders learn in all but "mixtures"."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there are {', '.join(self.phases)}")
        self.phase = phase
        self.requires_grad_(True)
        self.decoders.requires_grad_(phase != "mixtures")
        self.readout.requires_grad_(phase != "experts")
        if phase == "mixtures" and self.settings.fresh_encoders:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(ENCODER_SEED)
                fresh = Encoders(self.settings).state_dict()
            self.encoders.load_state_dict(fresh)
        self.train()

    def train(self, mode: bool = True) -> MSVAE:
        """Set the mode, but for decoders that are held fixed: these stay in eval mode."""
        super().train(mode)
        self.decoders.precision = self.settings.training_precision if mode else "float32"
        if self.phase == "mixtures":
            self.decoders.eval()
        return self

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What a batch costs, in nats a datum: minus the bound, and the proposal's cross-entropy.

        Raises:
            BadCall: values that do not fit or are not finite; labels missing or out of range.
        """
        check_inputs(batch.inputs, self.settings.n_values)
        check_size(self, len(batch))
        return (expert_loss if self.phase == "experts" else mixture_loss)(self, batch, generator)

    def end_epoch(self) -> Mapping[str, float]:
        """Set pi and b to what explains the mixtures of the epoch best; return them."""
        statistics, settings = self.statistics, self.settings
        if not statistics.count:
            return {}
        if settings.learn_presence:
            self.presence.copy_(statistics.likeliest_presence())
        self.scale.fill_(statistics.likeliest_scale(settings.noise, settings.n_values))
        statistics.clear()
        named = {f"pi_{stream}": float(pi) for stream, pi in enumerate(self.presence)}
        return {**named, "b": float(self.scale)}

    def explain(
        self,
        mixtures: Float[Tensor, "batch value"],
        patterns: Float[Tensor, "#batch pattern stream"] | None = None,
        generator: torch.Generator | None = None,
        known: Float[Tensor, "batch stream"] | None = None,
    ) -> Explanation:
        """How the model explains mixtures: which streams are on, and what each looks like.

        Args:
            mixtures: what is seen.
            patterns: to be weighed; all of them, or the likeliest, unless given.
            generator: draws the latents; without it they are at their mean, where the bound holds
                only nearly, and the posterior is at its best.
            known: a pattern to be weighed at first, besides.

        Source: arXiv 2510.15669, the free energy; the choice of patterns is ours.
        """
        latents = self.encoders(mixtures)
        sample = latents.mean if generator is None else latents.sample(generator)
        ratio, divergence = self._charge(latents, sample, drawn=generator is not None)
        if patterns is None and self.settings.posterior == "truncated":
            sources, posterior = self._truncated(mixtures, sample, latents.proposal, ratio, known)
        else:
            sources = self.decoders(sample)
            given = (mixtures, sources)
            if patterns is None:
                posterior = weigh_all_patterns(*given, self.observation, ratio)
            else:
                posterior = weigh_patterns(*given, patterns, self.observation, ratio)
            if known is not None:
                first = weigh_patterns(*given, known[:, None], self.observation, ratio)
                posterior = without_first_again(joined(first, posterior))
        return Explanation(latents, sources, posterior, Bound(posterior.log_evidence, divergence))

    def encode(
        self, mixtures: Float[Tensor, "batch value"]
    ) -> tuple[Float[Tensor, "batch stream latent"], Float[Tensor, "batch stream latent"]]:
        """The means and log variances of every stream's latents."""
        check_inputs(mixtures, self.settings.n_values)
        latents = self.encoders(mixtures)
        return latents.mean, latents.log_variance

    def decode(
        self, latents: Float[Tensor, "batch stream latent"]
    ) -> Float[Tensor, "batch stream value"]:
        """What every stream looks like, whether it is on or not."""
        sources: Tensor = self.decoders(latents)
        return sources

    def attribute(
        self,
        mixtures: Float[Tensor, "batch value"],
        count: int | None = None,
        *,
        n_samples: int = 0,
        generator: torch.Generator | None = None,
    ) -> Attribution:
        """Which streams each mixture has, and what they look like; see `attribute.attribute`."""
        check_inputs(mixtures, self.settings.n_values)
        return attribute(self, mixtures, count, n_samples=n_samples, generator=generator)

    def _charge(
        self, latents: Latents, sample: Tensor, drawn: bool
    ) -> tuple[Float[Tensor, "batch stream"] | None, Float[Tensor, " batch"]]:
        """What latents cost in the patterns that use them, and what they cost anyway."""
        if self.settings.divergence == "full":
            return None, latents.divergence().sum(1)
        ratio = latents.log_ratio(sample) if drawn else -latents.divergence()
        return ratio, ratio.new_zeros(len(sample))

    def _truncated(
        self,
        mixtures: Tensor,
        sample: Tensor,
        proposal: Tensor,
        ratio: Tensor | None,
        known: Tensor | None,
    ) -> tuple[Tensor, PatternPosterior]:
        """The sources, and the posterior over patterns that the proposal chooses."""
        settings, proposal = self.settings, proposal.detach()
        candidates = choose_candidates(proposal, settings.most_candidates)
        n_patterns = min(settings.n_patterns, 2 ** min(settings.most_candidates, 30))
        patterns = propose_patterns(proposal, candidates, n_patterns)
        if known is not None:
            candidates = torch.maximum(candidates, known)
            patterns = torch.cat([known[:, None], patterns], 1)
        everything = settings.most_candidates >= settings.n_streams
        sources = self.decoders(sample, None if everything else candidates > 0)
        posterior = weigh_patterns(mixtures, sources, patterns, self.observation, ratio)
        if settings.grow:
            near = grow_patterns(posterior.best, candidates)
            more = weigh_patterns(mixtures, sources, near, self.observation, ratio)
            posterior = joined(posterior, more)
        return sources, without_repeats(posterior)
