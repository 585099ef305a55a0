"""The multi-stream VAE whose streams are the speakers of a recording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.corpora.batch import Scenes
from diarize.errors import BadCall
from diarize.layers.patterns import patterns_of_size
from diarize.models.contract import Batch, Losses
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.disentangle import disentangling
from diarize.models.msvae.speech.losses import scene_loss
from diarize.models.msvae.speech.network import Listener, Proposal
from diarize.models.msvae.speech.streams import Explanation, Streams

FINITE = (  # of scenes, all that is measured
    *("inputs", "context", "mel", "typical", "activity"),
    *("profile", "heard_s", "similarity", "local", "pause_s"),
)


@dataclass(frozen=True)
class Weighed:
    """Which patterns of speakers are how likely in each frame.

    Attributes:
        patterns: all with at most so many speakers at once as the model allows.
        proposed: log weight that the network gives each; -inf if one of its speakers only fills up
            the batch.
        supported: log likelihood of each under the streams, times the trust in it beside the
            proposal.
        alone: the same, times the trust in it where there is no proposal; -inf as above.
        explanation: by the streams; of steps of two frames.
    """

    patterns: Float[Tensor, "pattern speaker"]
    proposed: Float[Tensor, "batch frame pattern"]
    supported: Float[Tensor, "batch frame pattern"]
    alone: Float[Tensor, "batch frame pattern"]
    explanation: Explanation

    @cached_property
    def log_probability(self) -> Float[Tensor, "batch frame pattern"]:
        """log q(pattern | recording) of each frame."""
        return (self.proposed + self.supported).log_softmax(2)

    @cached_property
    def presence(self) -> Float[Tensor, "batch frame speaker"]:
        """q(speaker talks | recording) of each frame."""
        return self.log_probability.exp() @ self.patterns


class SpeechMSVAE(nn.Module):
    """Multi-stream VAE over log power spectra, its streams told whose voice they are to be.

    s_k(t) in {0, 1}, at most `most_together` at once; z_k(t) ~ N(0, 1); power in band f is
    sum_k s_k(t) exp(2 mu_f(z_k(t), profile_k)) + exp(2 nu_f(z_0(t))); half its logarithm is seen
    under Laplace noise. q(s | x) is proportional to p(s | what the networks heard) times the
    likelihood to the power of a learned trust. One phase, "conversations": frames whose speakers
    are known teach all parts; of others the bound alone is raised.

    Source: arXiv 2510.15669 (streams, patterns, the bound); what differs is told in the README.
    """

    settings_type = SpeechSettings
    phases = ("conversations",)

    def __init__(self, settings: SpeechSettings) -> None:
        super().__init__()
        self.settings = settings
        self.listener = Listener(settings)
        self.streams = Streams(settings)
        self.log_trust = nn.Parameter(torch.tensor(settings.trust).log())
        self.log_trust_alone = nn.Parameter(torch.tensor(settings.trust).log())

    def begin(self, phase: str) -> None:
        """Get ready to train `phase`."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there are {', '.join(self.phases)}")
        self.requires_grad_(True)
        self.train()

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What windows of conversations cost, in nats a frame.

        Raises:
            BadCall: a batch of something else, or of another size than the networks give; or
                without places, where `cross_weight` is above 0.
        """
        if not isinstance(batch, Scenes):
            raise BadCall(f"a {type(batch).__name__}; this model is trained on Scenes")
        weighed = self.weigh(batch, generator)
        losses = scene_loss(self.settings, batch, weighed)
        more, parts = disentangling(
            self.settings, self.listener, self.streams, batch, weighed.explanation
        )
        if more is None:
            return losses
        return replace(losses, total=losses.total + more, parts={**losses.parts, **parts})

    def end_epoch(self) -> Mapping[str, float]:
        """What a journal should keep of the epoch: the trust in the likelihood, the mean scale."""
        return {
            "trust": self.log_trust.exp().item(),
            "trust_alone": self.log_trust_alone.exp().item(),
            "b": self.streams.log_scale.exp().mean().item(),
        }

    def weigh(self, scenes: Scenes, generator: torch.Generator | None = None) -> Weighed:
        """How likely each pattern of speakers is in each frame.

        Latents are drawn by `generator`; without it they are at their mean, where the posterior is
        at its best.

        Raises:
            BadCall: inputs of another size than this model takes, or an odd number of frames.
        """
        check_scenes(scenes, self.settings)
        proposal = self.listener(scenes, generator)
        patterns = speaker_patterns(scenes.profile.shape[1], self.settings.most_together)
        patterns = patterns.to(scenes.mel)
        explanation = self.streams(scenes, proposal, patterns, generator)
        likelihood = explanation.log_likelihood
        relative = (likelihood - likelihood.amax(2, keepdim=True)).repeat_interleave(2, 1)
        nobody_s = ((~scenes.is_there).to(patterns) @ patterns.T > 0)[:, None]
        alone = self.log_trust_alone.exp() * relative
        return Weighed(
            patterns,
            proposed(proposal, patterns).masked_fill(nobody_s, -torch.inf),
            self.log_trust.exp() * relative,
            alone.masked_fill(nobody_s, -torch.inf),
            explanation,
        )


def proposed(
    proposal: Proposal, patterns: Float[Tensor, "pattern speaker"]
) -> Float[Tensor, "batch frame pattern"]:
    """The log weight of each pattern, by its speakers' log odds and by how many they are."""
    return proposal.speaker @ patterns.T + proposal.count[:, :, patterns.sum(1).long()]


@lru_cache(maxsize=64)
def speaker_patterns(n_speakers: int, most: int) -> Float[Tensor, "pattern speaker"]:
    """All patterns of at most `most` speakers at once, nobody first.

    >>> len(speaker_patterns(4, 3))
    15
    """
    sizes = range(min(n_speakers, most) + 1)
    with torch.inference_mode(False):  # what is kept may be asked for in training, too
        return torch.cat([patterns_of_size(n_speakers, size) for size in sizes])


def check_scenes(scenes: Scenes, settings: SpeechSettings) -> None:
    """Check that scenes have the sizes that a model of these settings takes.

    Raises:
        BadCall: they have not.
    """
    for name, found, wanted in (
        ("features of the voice", scenes.inputs.shape[2], settings.n_channels),
        (
            "hidden values of the segmentation",
            scenes.context.shape[2] if settings.n_hidden else 0,
            settings.n_hidden,
        ),
        ("mel bands", scenes.mel.shape[2], settings.n_mels),
        ("values of a profile", scenes.profile.shape[2], settings.n_dimensions),
    ):
        if found != wanted:
            raise BadCall(f"{found} {name}; this model was made for {wanted}")
    if not scenes.profile.shape[1]:
        raise BadCall("no place for a speaker; one is wanted, if only to say that nobody is there")
    if scenes.inputs.shape[1] % 2:
        raise BadCall(f"{scenes.inputs.shape[1]} frames; an even number is wanted")
    sums = [getattr(scenes, name).sum().float() for name in FINITE]
    if not math.isfinite(float(torch.stack(sums).sum())):
        raise BadCall("scenes with values that are not finite; leave those out")
