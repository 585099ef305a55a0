"""What an MS-VAE for speech is made of: its [model] table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from diarize.errors import BadCall

VERSION = 1  # of what the numbers of trained weights mean; another one cannot be used


@dataclass(frozen=True)
class SpeechSettings:
    """The settings of an MS-VAE whose streams are the speakers of a recording.

    Attributes:
        n_channels: of the speaker network's features.
        n_hidden: of the segmentation's last hidden layer. 0 does not listen to it: it adds
            nothing on simulated conversations, and misleads on real ones.
        n_mels: mel bands that are heard.                 n_bands: that streams add up in.
        n_dimensions: of a speaker's profile.
        trunk_width: of what is made of a moment, whoever the speakers are.
        speaker_width: of what is made of a moment with each speaker in mind.
        profile_width: of what is made of a profile.
        memory: of each direction of the recurrent layers that follow a speaker over time.
        dropout: of the trunk, in training.
        deaf: how likely, in training, one of the three (the speaker network, the segmentation's
            hidden layer, the spectrum) is not heard in a scene.
        n_latents: z of each speaker.                     n_background: z of the background.
        background_steps: of 33.75 ms, that the background is averaged over; odd.
        decoder_width: of the hidden layer of decoders.
        most_together: how many may talk at once; patterns of more are left out.
        trust: of a pattern's log likelihood beside the proposal, before it is learned. Bands are
            not independent votes, so it is far below one.
        scale: b of the Laplace noise of half log power, before it is learned, one for all bands.
        proposal_weight: of the cross-entropy of the proposal by itself, beside both together.
        likelihood_weight: of that of the likelihood by itself.
        bound_weight: of minus the bound on the log likelihood, which trains the streams.
        idle_charge: share of a stream's divergence that is charged where it is off.
        cross_weight: of CrossMI: the codes of one voice in two places of a recording are alike,
            and those of others are not. Scenes need `places` then ([data] places = true).
        augment_weight: of GenAug: from a scene decoded with voices swapped, what each said is found
            again, and whose voice it is.
        temperature: of these contrasts, of cosines.
        version: of the weights, which must be that of this program.
    """

    n_channels: int = 512
    n_hidden: int = 0
    n_mels: int = 80
    n_bands: int = 40
    n_dimensions: int = 192
    trunk_width: int = 128
    speaker_width: int = 96
    profile_width: int = 64
    memory: int = 64
    dropout: float = 0.1
    deaf: float = 0.25
    n_latents: int = 10
    n_background: int = 8
    background_steps: int = 15
    decoder_width: int = 128
    most_together: int = 3
    trust: float = 0.03
    scale: float = 0.6
    proposal_weight: float = 0.5
    likelihood_weight: float = 0.2
    bound_weight: float = 0.02
    idle_charge: float = 0.1
    cross_weight: float = 0.0
    augment_weight: float = 0.0
    temperature: float = 0.1
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise BadCall(
                f"a speech MS-VAE of version {self.version}; this program is of version {VERSION}: "
                "take the weights that came with it"
            )
        if self.n_mels % self.n_bands:
            raise BadCall(f"n_bands = {self.n_bands}; a divisor of n_mels {self.n_mels} is wanted")
        if not 1 <= self.most_together <= 4:
            raise BadCall(f"most_together = {self.most_together}; 1 to 4 would be right")
        if self.background_steps < 1 or self.background_steps % 2 == 0:
            raise BadCall(f"background_steps = {self.background_steps}; odd, 1 or more is wanted")
        for name in ("cross_weight", "augment_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BadCall(f"{name} = {getattr(self, name)}; 0 or more is wanted")
        for name in ("trust", "scale", "temperature"):
            if getattr(self, name) <= 0:
                raise BadCall(f"{name} = {getattr(self, name)}; above 0 would be right")
