"""What a trained model of many betas is asked for: latents, images, ways down, samples."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.errors import BadCall
from diarize.models.multibeta import stages
from diarize.models.multibeta.config import MultiBetaSettings
from diarize.models.multibeta.levels import SigmaCurve, beta_at, level_of
from diarize.models.multibeta.network import SMALLEST_LOG_SIGMA, Decoder, DiffusionNet, Encoder
from diarize.models.multibeta.sampler import path_by_noise, path_down, run_down


class ManyBetas(nn.Module):
    """Both stages in use; whoever inherits it makes and trains them."""

    settings: MultiBetaSettings
    encoder: Encoder
    decoder: Decoder
    curve: SigmaCurve | None
    network: DiffusionNet | None
    n_steps: int
    schedule: Tensor
    stage_one: Tensor

    @property
    def can_denoise(self) -> bool:
        """Whether the second stage was trained."""
        return self.network is not None and stages.as_bytes(self.stage_one) != stages.NONE

    def betas(self, n_levels: int) -> list[float]:
        """Betas from the lowest to the highest, at even levels."""
        level = torch.linspace(0, 1, n_levels) if self.settings.has_levels else torch.zeros(1)
        return [float(one) for one in beta_at(level, self.settings)]

    @torch.no_grad()
    def encode(
        self, images: Float[Tensor, "batch value"], beta: float
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """The means and standard deviations of the latents of images at `beta`."""
        level = self._levels(beta, len(images))
        mean, log_sigma = self._encoded(self._checked(images), level)
        return mean, log_sigma.exp()

    @torch.no_grad()
    def decode(
        self, latents: Float[Tensor, "batch latent"], beta: float
    ) -> Float[Tensor, "batch value"]:
        """What latents of `beta` look like."""
        return self.decoder(latents, self._levels(beta, len(latents)))

    def reconstruct(
        self, images: Float[Tensor, "batch value"], beta: float | None = None
    ) -> Float[Tensor, "batch value"]:
        """Images through the means of their latents at `beta`, or at the lowest one."""
        beta = self.settings.lowest_beta if beta is None else beta
        return self.decode(self.encode(images, beta)[0], beta)

    @torch.no_grad()
    def denoise(
        self,
        latents: Float[Tensor, "batch latent"],
        beta: float,
        generator: torch.Generator,
        n_steps: int = 50,
        eta: float = 0.0,
    ) -> Float[Tensor, "batch latent"]:
        """Latents of `beta`, with their noise, taken down to the lowest beta.

        `n_steps` are what the way from the highest beta takes; from a lower one it is shorter.
        Steps are even in levels where noise is drawn (`eta` above 0), and shorter where it goes
        fast where none is.

        Raises:
            BadCall: a beta outside of the trained range, or no second stage was trained.
        """
        start = round(self._level(beta) * self.n_steps)
        if self.network is None or not self.can_denoise:
            raise BadCall("this model cannot denoise: its phase 'diffusion' was not trained")
        if not start:
            return latents
        n_steps = max(1, round(n_steps * start / self.n_steps))
        path = path_down(start, n_steps) if eta else path_by_noise(self.schedule, start, n_steps)
        return run_down(self._guess, latents, self.schedule, path, eta, generator)

    @torch.no_grad()
    def noisy(
        self, images: Float[Tensor, "batch value"], beta: float, generator: torch.Generator
    ) -> Float[Tensor, "batch latent"]:
        """A draw of the latents of images at `beta`, as `denoise` takes them."""
        level = self._level(beta)
        mean, _ = self.encode(images, beta)
        sigma = self.schedule[round(level * self.n_steps)]
        return mean + sigma * self._randn(mean.shape, generator).to(mean)

    def sample(
        self, n_images: int, generator: torch.Generator, n_steps: int = 50, eta: float = 0.0
    ) -> Float[Tensor, "batch value"]:
        """Images from nothing: normal latents at the highest beta, taken down and decoded."""
        shape = (n_images, self.settings.n_latents)
        start = self._randn(shape, generator).to(self.schedule)
        lowest, highest = self.settings.lowest_beta, self.settings.highest_beta
        return self.decode(self.denoise(start, highest, generator, n_steps, eta), lowest)

    def _guess(self, noisy: Tensor, here: int, there: int) -> tuple[Tensor, Tensor]:
        assert self.network is not None
        n_steps = self.n_steps
        level = noisy.new_full((len(noisy),), here / n_steps)
        lower = noisy.new_full((len(noisy),), there / n_steps)
        sigma = self.schedule[here].expand_as(noisy)
        noise, rate = self.network(noisy, sigma, level, lower)
        return noise, rate * ((here - there) / n_steps)

    def _encoded(self, images: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        made = self.encoder(images, level)
        if self.curve is not None:
            return made, self.curve(level).clamp(min=SMALLEST_LOG_SIGMA)
        mean, log_sigma = made.chunk(2, dim=1)
        return mean, log_sigma.clamp(SMALLEST_LOG_SIGMA, 2.0)

    def _level(self, beta: float) -> float:
        return level_of(beta, self.settings)

    def _levels(self, beta: float, count: int) -> Float[Tensor, " batch"]:
        return self.schedule.new_full((count,), self._level(beta))

    def _randn(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator, device=generator.device)

    def _checked(self, images: Tensor) -> Tensor:
        n_values = self.settings.n_values
        if images.ndim != 2 or images.shape[1] != n_values:
            raise BadCall(f"images of shape {tuple(images.shape)}; expected batch x {n_values}")
        if not bool(torch.isfinite(images).all()):
            raise BadCall("images with values that are NaN or infinite")
        return images
