"""What an MS-VAE is made of: its [model] table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diarize.layers.noise import NoiseKind


@dataclass(frozen=True)
class MSVAESettings:
    """The settings of an MS-VAE; the defaults are ours for digits, `paper.toml` has the paper's.

    Attributes:
        n_streams: H, the sources there can be.
        n_values: D, the values of an observation.
        n_latents: of each stream.
        encoder: "shared" is one convolutional trunk with a head a stream, for square images;
            "separate" is one perceptron a stream, as in the paper.
        encoder_widths: hidden layers of each separate encoder; of the shared one, the channels of
            its convolutions and last the width of its dense layer.
        decoder_widths: hidden layers of each decoder.
        normalised: batch normalisation in perceptrons, as in the paper. The shared trunk has it
            anyway.
        gain_spread: streams have a gain of their own, exp(gain_spread * g) with g ~ N(0, 1) one
            more latent; 0 is a gain of one, as in the paper.
        noise: of an observation around the sum of its streams.
        posterior: "exact" weighs all 2^H patterns, "truncated" the `n_patterns` chosen.
        n_patterns: S, those that the proposal finds likeliest; the H that differ in one stream
            from the best of them are weighed besides if `grow`.
        grow: see there.
        most_candidates: only patterns of this many streams, those that the proposal finds
            likeliest, are weighed in a truncated posterior; the others need not be decoded.
        divergence: "gated" charges a stream's latents only in the patterns that have it on, which
            is the tighter bound unless which streams are on hangs much on the latents drawn;
            "full" charges all, as the paper does.
        presence: pi, before it is learned.       scale: b, before it is learned.
        learn_presence: whether pi is.
        expert_scale: the b that experts are trained with, fixed.
        expert_divergence: weight of the KL divergence in experts; 1 is a true bound.
        proposal_weight: of the proposal's cross-entropy in the loss.
        pattern_weight: where the pattern of a mixture is known, of -log q(pattern) in the readout,
            besides the bound with that pattern.
        readout: what says which streams are on in use: "model", the posterior of the model alone;
            "weighed", this and the proposal, as far as either was to be trusted on mixtures of
            known pattern.
        polish_steps: of ascent on the latents of the streams that are found to be on, for what
            these look like; 0 leaves them as the encoders say.
        temperature, trust: of the weighed readout, before they are learned.
        fresh_encoders: whether encoders begin anew with mixtures, as in the paper.
        training_precision: of the products in encoders and decoders while they are trained;
            "bfloat16" is two to three times as fast on processors that have it.
    """

    n_streams: int = 10
    n_values: int = 784
    n_latents: int = 20
    encoder: Literal["shared", "separate"] = "shared"
    encoder_widths: tuple[int, ...] = (32, 64, 128, 128, 512)
    decoder_widths: tuple[int, ...] = (200, 400)
    normalised: bool = False
    gain_spread: float = 0.0
    noise: NoiseKind = "laplace"
    posterior: Literal["exact", "truncated"] = "truncated"
    n_patterns: int = 24
    grow: bool = True
    most_candidates: int = 10
    divergence: Literal["gated", "full"] = "gated"
    presence: float = 0.5
    scale: float = 1.0
    learn_presence: bool = True
    expert_scale: float = 0.06
    expert_divergence: float = 1.0
    proposal_weight: float = 50.0
    pattern_weight: float = 50.0
    readout: Literal["model", "weighed"] = "model"
    polish_steps: int = 0
    temperature: float = 30.0
    trust: float = 0.5
    fresh_encoders: bool = False
    training_precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        counts = ("n_streams", "n_values", "n_latents", "n_patterns", "most_candidates")
        for field in counts:
            if getattr(self, field) < 1:
                raise ValueError(f"{field} = {getattr(self, field)}; 1 or more would be right")
        for field in ("scale", "expert_scale", "temperature"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} = {getattr(self, field)}; more than 0 would be right")
        weights = ("gain_spread", "expert_divergence", "proposal_weight", "pattern_weight")
        for field in (*weights, "polish_steps"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} = {getattr(self, field)}; 0 or more would be right")
        for field in ("encoder_widths", "decoder_widths"):
            if min(getattr(self, field), default=1) < 1:
                raise ValueError(f"{field} = {getattr(self, field)}; each 1 or more would be right")
        if not 0 < self.presence < 1:
            raise ValueError(f"presence = {self.presence}; between 0 and 1 would be right")
        if self.encoder == "shared" and len(self.encoder_widths) < 2:
            raise ValueError("encoder_widths of a shared encoder: channels, and a width at last")
