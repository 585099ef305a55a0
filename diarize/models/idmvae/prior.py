"""A diffusion as the prior of latents: its network, its loss, its samples.

Source: arXiv 2509.23548, its code: the clean latent is predicted; levels as a sigmoid from -3 to 3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from diarize.layers.diffusion import Levels, ddim_sample, level_embedding, noised, sigmoid_levels
from diarize.models.idmvae.config import DiffusionSettings


class DiffusionPrior(nn.Module):
    """The prior of one kind of latents."""

    def __init__(self, n_latent: int, settings: DiffusionSettings) -> None:
        super().__init__()
        self.settings, self.n_latent = settings, n_latent
        width = settings.width
        self.of_latent = nn.Sequential(
            nn.Linear(n_latent, width), nn.GELU(), nn.Linear(width, width)
        )
        self.of_level = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.out = nn.Linear(width, n_latent)
        self.levels: Levels = sigmoid_levels(settings.n_steps)

    def forward(
        self, noisy: Float[Tensor, "batch latent"], level: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch latent"]:
        """The clean latents under noisy ones, as well as they can be told."""
        embedded = level_embedding(level, self.settings.width).to(noisy)
        return self.out(functional.gelu(self.of_latent(noisy) + self.of_level(embedded)))

    def cost(
        self, latents: Float[Tensor, "batch latent"], generator: torch.Generator
    ) -> Float[Tensor, " batch"]:
        """The error at a level of chance for each latent, squared, weighed, summed over latents."""
        if self.settings.stop_gradient:
            latents = latents.detach()
        home = generator.device
        even = torch.rand(len(latents), generator=generator, device=home)
        level = (1 + (even * self.settings.n_steps).long()).clamp(max=self.settings.n_steps)
        level = level.to(latents.device)
        noise = torch.randn(tuple(latents.shape), generator=generator, device=home).to(latents)
        guess = self(noised(latents, level, self.levels, noise), level)
        ratio = self.levels.signal_to_noise()[level.cpu()].to(latents)
        weight = ratio.clamp(1, self.settings.most_weight)
        return weight * (guess - latents).square().sum(1)

    def sample(self, n_samples: int, generator: torch.Generator) -> Float[Tensor, "batch latent"]:
        """Latents of this prior, drawn in a few steps; no gradient."""
        settings, home = self.settings, self.out.weight.device

        def denoiser(noisy: Tensor, level: Tensor) -> Tensor:
            return self(noisy.to(home), level.to(home)).to(noisy)

        with torch.no_grad():
            shape = (n_samples, self.n_latent)
            made = ddim_sample(
                denoiser, shape, self.levels, settings.n_sampling, generator, eta=settings.eta
            )
        return made.to(home)
