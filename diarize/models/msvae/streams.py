"""The streams: what each makes of its latents, and what latents each sees in a mixture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from diarize.layers.divergence import (
    divergence_from_standard_normal,
    log_ratio_to_standard_normal,
    sample_normal,
)
from diarize.layers.image_trunk import ImageTrunk
from diarize.layers.perceptron import StreamPerceptron
from diarize.models.msvae.config import MSVAESettings

LOG_VARIANCE_RANGE = (-10.0, 4.0)


@dataclass(frozen=True)
class Latents:
    """What the encoders say of a mixture.

    Attributes:
        mean, log_variance: of the normal q(z_h|x) of each stream's latents.
        proposal: log odds of each stream being on, as a guess from the mixture alone. It decides
            which patterns are weighed in a truncated posterior, and nothing else.
    """

    mean: Float[Tensor, "batch stream latent"]
    log_variance: Float[Tensor, "batch stream latent"]
    proposal: Float[Tensor, "batch stream"]

    def divergence(self) -> Float[Tensor, "batch stream"]:
        """KL(q(z_h|x) || N(0, 1)) of each stream, in nats."""
        return divergence_from_standard_normal(self.mean, self.log_variance)

    def sample(self, generator: torch.Generator | None) -> Float[Tensor, "batch stream latent"]:
        """One draw of every stream's latents."""
        return sample_normal(self.mean, self.log_variance, generator)

    def log_ratio(
        self, sample: Float[Tensor, "batch stream latent"]
    ) -> Float[Tensor, "batch stream"]:
        """log p(z_h) - log q(z_h|x) at `sample`."""
        return log_ratio_to_standard_normal(sample, self.mean, self.log_variance)


def products_in(precision: str, like: Tensor) -> torch.autocast:
    """A block in which products of matrices are done in `precision`."""
    device = like.device.type
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")


class Encoders(nn.Module):
    """q(z_h|x) of every stream, and the proposal: of a shared trunk, or an encoder a stream."""

    def __init__(self, settings: MSVAESettings) -> None:
        super().__init__()
        self.n_streams = settings.n_streams
        self.n_latents = settings.n_latents + (settings.gain_spread > 0)
        self.precision = settings.training_precision
        n_outputs = 2 * self.n_latents + 1
        self.trunk: ImageTrunk | None = None
        if settings.encoder == "shared":
            self.trunk = ImageTrunk(settings.n_values, settings.encoder_widths)
            width = settings.encoder_widths[-1]
            self.heads: nn.Module = nn.Linear(width, self.n_streams * n_outputs)
        else:
            widths = (settings.n_values, *settings.encoder_widths, n_outputs)
            self.heads = StreamPerceptron(self.n_streams, widths, settings.normalised)

    def forward(self, mixtures: Float[Tensor, "batch value"]) -> Latents:
        """What the encoders say of each mixture."""
        with products_in(self.precision if self.training else "float32", mixtures):
            if self.trunk is not None:
                outputs = self.heads(self.trunk(mixtures)).to(mixtures.dtype)
                outputs = outputs.view(len(mixtures), self.n_streams, -1)
            else:
                everyone = mixtures[:, None].expand(-1, self.n_streams, -1)
                outputs = self.heads(everyone).to(mixtures.dtype)
        mean, log_variance = outputs[..., :-1].split(self.n_latents, -1)
        return Latents(mean, log_variance.clamp(*LOG_VARIANCE_RANGE), outputs[..., -1])


class Decoders(nn.Module):
    """mu_h(z_h): what each stream would look like alone, values between 0 and 1 times its gain."""

    def __init__(self, settings: MSVAESettings) -> None:
        super().__init__()
        self.gain_spread, self.precision = settings.gain_spread, settings.training_precision
        self.n_values = settings.n_values
        widths = (settings.n_latents, *settings.decoder_widths, settings.n_values)
        self.perceptrons = StreamPerceptron(settings.n_streams, widths, settings.normalised)

    def forward(
        self,
        latents: Float[Tensor, "batch stream latent"],
        wanted: Bool[Tensor, "batch stream"] | None = None,
    ) -> Float[Tensor, "batch stream value"]:
        """What each stream gives; zeros where it is not `wanted`, at no cost."""
        if wanted is None or (self.training and self.perceptrons.norms):
            with self._products(latents):
                sources = torch.sigmoid(self.perceptrons(self._shapes(latents)).to(latents.dtype))
        else:
            stream, datum = wanted.T.nonzero(as_tuple=True)
            sources = latents.new_zeros(*latents.shape[:2], self.n_values)
            sources = sources.index_put((datum, stream), self._some(latents, wanted))
        return sources * self._gains(latents)[..., None] if self.gain_spread else sources

    def alone(
        self, latents: Float[Tensor, "batch stream latent"], streams: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch value"]:
        """What one stream of each datum gives, `streams` says which."""
        rows = torch.arange(len(streams), device=streams.device)
        if self.training and self.perceptrons.norms:
            return self(latents)[rows, streams]
        wanted = nn.functional.one_hot(streams, latents.shape[1]) > 0
        sources = self._some(latents, wanted)[wanted.T.nonzero()[:, 1].argsort()]
        gains = self._gains(latents)[rows, streams, None] if self.gain_spread else 1.0
        return sources * gains

    def _some(self, latents: Tensor, wanted: Tensor) -> Float[Tensor, "wanted value"]:
        with self._products(latents):
            values = self.perceptrons.some(self._shapes(latents), wanted)
        return torch.sigmoid(values.to(latents.dtype))

    def _products(self, latents: Tensor) -> torch.autocast:
        learning = torch.is_grad_enabled() and latents.requires_grad
        return products_in(self.precision if learning else "float32", latents)

    def _shapes(self, latents: Tensor) -> Tensor:
        return latents[..., :-1] if self.gain_spread else latents

    def _gains(self, latents: Tensor) -> Float[Tensor, "batch stream"]:
        return (self.gain_spread * latents[..., -1]).exp()
