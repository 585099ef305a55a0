"""Encoder, decoder and the second stage's network: each layer is told the level it works at."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.models.multibeta.config import MultiBetaSettings
from diarize.models.multibeta.levels import level_features

SMALLEST_LOG_SIGMA = -7.0


class Told(nn.Module):
    """Scales and shifts the channels of what a layer gives, by what is told of the level.

    Source: E. Perez and others, "FiLM", 2018 (arXiv 1709.07871).
    """

    def __init__(self, layer: nn.Module, n_channels: int, n_told: int) -> None:
        super().__init__()
        self.layer, self.told = layer, nn.Linear(n_told, 2 * n_channels)
        nn.init.normal_(self.told.weight, std=0.02)
        nn.init.zeros_(self.told.bias)

    def forward(self, values: Tensor, told: Float[Tensor, "batch told"]) -> Tensor:
        """The layer's output, scaled and shifted."""
        made = self.layer(values)
        scale, shift = self.told(told).chunk(2, dim=1)
        shape = (len(made), -1, *[1] * (made.ndim - 2))
        return made * (1 + scale.view(shape)) + shift.view(shape)


class Encoder(nn.Module):
    """Images and levels to the means of their latents; with `noise = "image"`, log sigmas too."""

    def __init__(self, settings: MultiBetaSettings) -> None:
        super().__init__()
        self.settings = settings
        n_told, n_in = settings.n_features, settings.n_planes
        blocks = []
        for width in settings.widths:
            blocks.append(Told(nn.Conv2d(n_in, width, 4, stride=2, padding=1), width, n_told))
            n_in = width
        self.blocks = nn.ModuleList(blocks)
        side = settings.side >> len(settings.widths)
        flat = nn.Linear(n_in * side**2, settings.n_hidden)
        self.hidden = Told(flat, settings.n_hidden, n_told)
        n_parts = 2 if settings.noise == "image" else 1
        n_out = n_parts * settings.n_latents
        self.out = Told(nn.Linear(settings.n_hidden, n_out), n_out, n_told)

    def forward(
        self, images: Float[Tensor, "batch value"], level: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch out"]:
        """What is said of each image at its level."""
        settings = self.settings
        told = level_features(level, settings.n_features)
        made = images.view(len(images), settings.n_planes, settings.side, settings.side)
        for block in self.blocks:
            made = nn.functional.silu(block(made, told))
        hidden = nn.functional.silu(self.hidden(made.flatten(1), told))
        return self.out(hidden, told)


class Decoder(nn.Module):
    """Latents and levels to images, whose values lie between 0 and 1."""

    def __init__(self, settings: MultiBetaSettings) -> None:
        super().__init__()
        self.settings = settings
        n_told, widths = settings.n_features, settings.widths[::-1]
        self.side = settings.side >> len(widths)
        n_flat = widths[0] * self.side**2
        self.hidden = Told(
            nn.Linear(settings.n_latents, settings.n_hidden), settings.n_hidden, n_told
        )
        self.flat = Told(nn.Linear(settings.n_hidden, n_flat), n_flat, n_told)
        blocks = []
        for before, after in zip(widths, (*widths[1:], settings.n_planes), strict=True):
            layer = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            blocks.append(Told(layer, after, n_told))
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, latents: Float[Tensor, "batch latent"], level: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch value"]:
        """What the latents of each level look like."""
        told = level_features(level, self.settings.n_features)
        hidden = nn.functional.silu(self.hidden(latents, told))
        made = nn.functional.silu(self.flat(hidden, told))
        made = made.view(len(made), -1, self.side, self.side)
        for number, block in enumerate(self.blocks, 1):
            made = block(made, told)
            made = nn.functional.silu(made) if number < len(self.blocks) else made.sigmoid()
        return made.flatten(1)


class Residual(nn.Module):
    """Two dense layers around which what came in passes too."""

    def __init__(self, width: int, n_told: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = Told(nn.Linear(width, width), width, n_told)
        self.back = nn.Linear(width, width)

    def forward(self, values: Float[Tensor, "batch width"], told: Tensor) -> Tensor:
        """The same shape."""
        return values + self.back(nn.functional.silu(self.wide(self.norm(values), told)))


class DiffusionNet(nn.Module):
    """Two heads: the noise in a latent, and how fast its mean moves on the way to a lower level.

    The first adds to what would be right if latents were normal with variance 1, at every level:
    sigma times the latent. The second gives the difference of means over that of levels, which is
    of one size however long the step.
    """

    def __init__(self, settings: MultiBetaSettings) -> None:
        super().__init__()
        own, self.n_features = settings.diffusion, settings.n_features
        self.first = nn.Linear(settings.n_latents, own.width)
        self.blocks = nn.ModuleList(
            [Residual(own.width, self.n_features) for _ in range(own.n_blocks)]
        )
        self.norm = nn.LayerNorm(own.width)
        self.noise = nn.Linear(own.width, settings.n_latents)
        self.towards = Residual(own.width, 2 * self.n_features) if own.delta else None
        self.moving = nn.Linear(own.width, settings.n_latents) if own.delta else None

    def forward(
        self,
        noisy: Float[Tensor, "batch latent"],
        sigma: Float[Tensor, "batch latent"],
        level: Float[Tensor, " batch"],
        lower: Float[Tensor, " batch"],
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """The noise in `noisy` and its mean's rate of change (0 without that head)."""
        told = level_features(level, self.n_features)
        made = self.first(noisy)
        for block in self.blocks:
            made = block(made, told)
        noise = sigma * noisy + self.noise(self.norm(made))
        if self.towards is None or self.moving is None:
            return noise, torch.zeros_like(noise)
        both = torch.cat([told, level_features(lower, self.n_features)], 1)
        return noise, self.moving(self.towards(made, both))
