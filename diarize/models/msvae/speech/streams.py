"""The streams: what each speaker would sound like alone, the background, and their sums.

Powers of sources that do not know of one another add up, on average over phases; amplitudes and
logarithms do not. So streams add up as powers in bands, and what is left over is told by the
logarithm of the power, whose spread is about the same for loud and soft bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diarize.corpora.batch import Scenes
from diarize.layers.divergence import divergence_from_standard_normal, sample_normal
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.network import Proposal

STEEPEST = 16.0  # of log power, beyond which a stream neither rises nor falls


@dataclass(frozen=True)
class Explanation:
    """How well each pattern of speakers explains each step.

    Attributes:
        log_likelihood: log p(x | s, z), in nats of half log power.
        divergence: of each speaker's latents from N(0, 1), in nats.
        background: of the background's latents.
        latents: the means of the speakers' latents.
        drawn: the latents that were decoded: a draw, or the means.
        behind: the power of the background in each band.
    """

    log_likelihood: Float[Tensor, "batch step pattern"]
    divergence: Float[Tensor, "batch step speaker"]
    background: Float[Tensor, "batch step"]
    latents: Float[Tensor, "batch step speaker latent"]
    drawn: Float[Tensor, "batch step speaker latent"]
    behind: Float[Tensor, "batch step band"]


class Streams(nn.Module):
    """q(z | x) and mu(z) of every speaker, by one network told his voice, and of the background.

    Source: arXiv 2510.15669 for streams that are on or off and Laplace noise; the shared decoder,
    the profile it is told, the background and the sum of powers are ours.
    """

    def __init__(self, settings: SpeechSettings) -> None:
        super().__init__()
        self.settings = settings
        width, n_bands = settings.decoder_width, settings.n_bands
        n_latents, n_background = settings.n_latents, settings.n_background
        self.latents = nn.Linear(2 * settings.memory, 2 * n_latents)
        self.decoder = nn.Sequential(
            nn.Linear(n_latents + settings.profile_width, width),
            nn.ReLU(),
            nn.Linear(width, n_bands),
        )
        self.background_latents = nn.Linear(settings.trunk_width, 2 * n_background)
        self.background = nn.Sequential(
            nn.Linear(n_background + n_bands, width), nn.ReLU(), nn.Linear(width, n_bands)
        )
        self.log_scale = nn.Parameter(torch.full((n_bands,), settings.scale).log())

    def forward(
        self,
        scenes: Scenes,
        proposal: Proposal,
        patterns: Float[Tensor, "pattern speaker"],
        generator: torch.Generator | None = None,
    ) -> Explanation:
        """Weigh `patterns` in each step; latents are drawn by `generator`, or at their mean."""
        mean, spread = self.encode(proposal)
        is_step = scenes.is_frame.unflatten(1, (-1, 2)).any(2)
        latents = self.background_latents(proposal.moment)
        steady = _slow(latents, is_step, self.settings.background_steps)
        quiet, quiet_spread = _bounded(steady)
        draw = sample_normal if generator is not None else lambda at, _, __: at
        sample = draw(mean, spread, generator)
        alone = self.decode(sample, proposal.character)
        observed, typical = self.observed(scenes)
        shape = typical[:, None].expand(-1, observed.shape[1], -1)
        drawn = draw(quiet, quiet_spread, generator)
        behind = _power(self.background(torch.cat([drawn, shape], 2)))
        power = torch.einsum("ps,btsf->btpf", patterns, alone) + behind[:, :, None]
        distance = (observed[:, :, None] - power.log() / 2).abs()
        likelihood = (
            -(distance / self.log_scale.exp()).sum(3) - (2 * self.log_scale.exp()).log().sum()
        )
        return Explanation(
            likelihood,
            divergence_from_standard_normal(mean, spread),
            divergence_from_standard_normal(quiet, quiet_spread),
            mean,
            sample,
            behind,
        )

    def encode(
        self, proposal: Proposal
    ) -> tuple[
        Float[Tensor, "batch step speaker latent"], Float[Tensor, "batch step speaker latent"]
    ]:
        """The means of q(z | x) of each speaker, and the logarithms of its variances."""
        return _bounded(self.latents(proposal.voice))

    def decode(
        self,
        latents: Float[Tensor, "batch step speaker latent"],
        code: Float[Tensor, "batch speaker character"],
    ) -> Float[Tensor, "batch step speaker band"]:
        """The power in each band that each speaker has alone, told the code of his voice."""
        told = code[:, None].expand(-1, latents.shape[1], -1, -1)
        return _power(self.decoder(torch.cat([latents, told], 3)))

    def observed(
        self, scenes: Scenes
    ) -> tuple[Float[Tensor, "batch step band"], Float[Tensor, "batch band"]]:
        """Half log power in each band and step, and what is typical, the recording's level at 0."""
        level = scenes.typical.mean(1)
        bands = self.settings.n_bands
        mel = scenes.mel.unflatten(1, (-1, 2)).unflatten(3, (bands, -1)).mean((2, 4))
        typical = scenes.typical.unflatten(1, (bands, -1)).mean(2)
        return (mel - level[:, None, None]) / 2, (typical - level[:, None]) / 2


def _slow(values: Tensor, there: Tensor, n_steps: int) -> Tensor:
    """The mean over so many steps around each, of those there are: a background that could change
    at once would explain speech as well as any speaker."""
    is_there = there[..., None].to(values)
    return _around(values * is_there, n_steps) / _around(is_there, n_steps).clamp_min(1 / n_steps)


def _around(values: Tensor, n_steps: int) -> Tensor:
    rows = values.transpose(1, 2)
    pooled = functional.avg_pool1d(rows, n_steps, 1, n_steps // 2, count_include_pad=False)
    return pooled.transpose(1, 2)


def _bounded(outputs: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_variance = outputs.chunk(2, -1)
    return mean, log_variance.clamp(-8, 4)


def _power(half_log: Tensor) -> Tensor:
    return (2 * half_log).clamp(-STEEPEST, STEEPEST).exp()
