"""VAE-BSS: one encoder of the mixture, one decoder for all sources, no classes and no labels.

The encoder gives a latent for each of a known number of sources; the decoder, which all share,
turns each into an image; the mixture is their sum, with Laplace noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.config import at_least
from diarize.errors import BadCall
from diarize.models.contract import Attribution, Batch, Losses

LOG_VARIANCE_RANGE = (-12.0, 6.0)  # beyond it a wild step would overflow
SCALE_FLOOR = 1e-4
_FAINTEST = 1e-12  # what the sources must sum to for shares of it to mean anything


@dataclass(frozen=True)
class VAEBSSSettings:
    """How large, and how it is trained.

    Attributes:
        n_pixels: values of a mixture.
        n_sources: how many sources each mixture has; the model knows it, at all times.
        n_latent: numbers that describe one source.
        widths: hidden layers of the encoder; the decoder has them in reverse.
        beta: the weight of the KL divergence, once it is reached.
        beta_epochs: over how many epochs it is reached, in equal steps.
        scale: of the Laplace noise, at first.
        learns_scale: whether it is set to what explains the last epoch best, once an epoch.
    """

    n_pixels: int = 784
    n_sources: int = 2
    n_latent: int = 20
    widths: tuple[int, ...] = (700, 600, 500, 400, 300)
    beta: float = 0.5
    beta_epochs: int = 50
    scale: float = 0.1
    learns_scale: bool = True

    def __post_init__(self) -> None:
        at_least(self, n_pixels=1, n_sources=1, n_latent=1, beta_epochs=1)
        if not self.widths or min(self.widths) < 1:
            raise BadCall(f"widths = {self.widths}; expected at least one layer, none of width 0")
        if not 0 <= self.beta < math.inf:
            raise BadCall(f"beta = {self.beta}; expected 0 or more")
        if not SCALE_FLOOR <= self.scale < math.inf:
            raise BadCall(f"scale = {self.scale}; expected {SCALE_FLOOR:g} or more")


class VAEBSS(nn.Module):
    """The model and its training, for `diarize.training`.

    Ours differs from the paper's in two things. There, mixtures are means of two digits; here they
    are sums, and the decoded sources are summed too. There, the noise scale is fixed at 0.7071 and
    sums over a batch meet means over it, which makes the KL divergence count a batch's size less
    than is written; here all is in nats a datum, and the scale is learned in closed form, as in
    the multi-stream VAE (`learns_scale`).

    Source: Neri, Badeau and Depalle, "Unsupervised blind source separation with variational
    auto-encoders", EUSIPCO 2021.
    """

    settings_type = VAEBSSSettings
    phases = ("mixtures",)
    scale: Tensor
    n_epochs: Tensor
    error_sum: Tensor
    n_values: Tensor

    def __init__(self, settings: VAEBSSSettings) -> None:
        super().__init__()
        self.settings = settings
        widths, n_latent = settings.widths, settings.n_latent
        self.encoder = nn.Sequential(
            *_hidden(settings.n_pixels, widths),
            nn.Linear(widths[-1], 2 * settings.n_sources * n_latent),
        )
        self.decoder = nn.Sequential(
            *_hidden(n_latent, widths[::-1]), nn.Linear(widths[0], settings.n_pixels), nn.Sigmoid()
        )
        self.register_buffer("scale", torch.tensor(settings.scale))
        self.register_buffer("n_epochs", torch.tensor(0))
        self.register_buffer("error_sum", torch.tensor(0.0, dtype=torch.float64))
        self.register_buffer("n_values", torch.tensor(0))

    def begin(self, phase: str) -> None:
        """Set modes for the only phase, "mixtures"."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there is 'mixtures'")
        self.requires_grad_(True)
        self.train()

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """Return the negative ELBO with its KL divergence weighed; labels are not looked at.

        Raises:
            BadCall: mixtures of another size, values that are no numbers, or fewer than two.
        """
        mixtures = self._checked(batch.inputs)
        if self.training and len(mixtures) < 2:
            raise BadCall("a batch of one mixture; the batch norm of a training wants two or more")
        means, log_variances = self.encode(mixtures)
        drawn = torch.randn(means.shape, generator=generator, device=generator.device)
        latents = means + torch.exp(log_variances / 2) * drawn.to(means)
        error = (mixtures - self.decode(latents).sum(dim=1)).abs().sum(dim=1).mean()
        divergence = 0.5 * (means**2 + log_variances.exp() - log_variances - 1).sum(dim=(1, 2))
        reconstruction = error / self.scale + mixtures.shape[1] * torch.log(2 * self.scale)
        kl, beta = divergence.mean(), self._beta()
        if self.training:
            self.error_sum += error.detach().double() * len(mixtures)
            self.n_values += mixtures.numel()
        return Losses(
            reconstruction + beta * kl,
            {"reconstruction": reconstruction.detach(), "kl": kl.detach(), "error": error.detach()},
        )

    def end_epoch(self) -> Mapping[str, float]:
        """Take the noise scale from the epoch's errors; return it, and the weight of the KL."""
        beta = self._beta()
        n_values = int(self.n_values)
        if self.settings.learns_scale and n_values:
            self.scale.fill_(max(float(self.error_sum) / n_values, SCALE_FLOOR))
        self.n_epochs += 1
        self.error_sum.zero_()
        self.n_values.zero_()
        return {"b": float(self.scale), "beta": beta}

    def encode(
        self, mixtures: Float[Tensor, "batch pixel"]
    ) -> tuple[Float[Tensor, "batch source latent"], Float[Tensor, "batch source latent"]]:
        """Return the means and log variances of each source's latent."""
        settings = self.settings
        shape = (len(mixtures), 2, settings.n_sources, settings.n_latent)
        means, log_variances = self.encoder(mixtures).reshape(shape).unbind(dim=1)
        return means, log_variances.clamp(*LOG_VARIANCE_RANGE)

    def decode(self, latents: Float[Tensor, "*latents latent"]) -> Float[Tensor, "*latents pixel"]:
        """Return the image of each latent, its values between 0 and 1."""
        images = self.decoder(latents.reshape(-1, latents.shape[-1]))
        return images.reshape(*latents.shape[:-1], -1)

    def separate(
        self, mixtures: Float[Tensor, "batch pixel"], mask: bool = False
    ) -> Float[Tensor, "batch source pixel"]:
        """Return the sources of each mixture, in no order that means anything.

        They are the decoded means of the latents; with `mask` (VAEM-BSS) the shares of the mixture
        that those have in their sum, so that the sources sum to the mixture.

        Raises:
            BadCall: mixtures of another size, or values that are no numbers.
        """
        mixtures = self._checked(mixtures)
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                sources = self.decode(self.encode(mixtures)[0])
        finally:
            self.train(was_training)
        if not mask:
            return sources
        shares = sources / sources.sum(dim=1, keepdim=True).clamp(min=_FAINTEST)
        return shares * mixtures[:, None]

    def attribute(
        self,
        mixtures: Float[Tensor, "batch pixel"],
        count: int | None = None,
        *,
        n_samples: int = 0,
        generator: torch.Generator | None = None,
    ) -> Attribution:
        """Return the decoded sources of each mixture, in no order; a mask may be laid over later.

        There are no classes and so no patterns: latents are taken at their means, and drawing them
        (`n_samples`) would change nothing.

        Raises:
            BadCall: another `count` than the one it was made for, or none; mixtures of another
                size, or values that are no numbers.
        """
        n_sources = self.settings.n_sources
        if count != n_sources:
            told = "an unknown number of" if count is None else count
            raise BadCall(f"mixtures of {told} sources; this model is of {n_sources} sources")
        return Attribution(self.separate(mixtures))

    def _beta(self) -> float:
        settings = self.settings
        return settings.beta * min(1.0, (int(self.n_epochs) + 1) / settings.beta_epochs)

    def _checked(self, mixtures: Tensor) -> Tensor:
        n_pixels = self.settings.n_pixels
        if mixtures.ndim != 2 or mixtures.shape[1] != n_pixels:
            raise BadCall(f"mixtures of shape {tuple(mixtures.shape)}; expected batch x {n_pixels}")
        if not bool(torch.isfinite(mixtures).all()):
            raise BadCall("mixtures with values that are NaN or infinite")
        return mixtures


def _hidden(n_inputs: int, widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in zip((n_inputs, *widths[:-1]), widths, strict=True):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
    return layers
