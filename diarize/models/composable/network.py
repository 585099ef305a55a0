"""The networks: encoders of one number a frame, and a U-Net that is told latents at every level."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.layers.diffusion import level_embedding
from diarize.models.composable.config import NetworkSettings

LEVELS = 1000.0  # by which a noise level from 0 to 1 is multiplied before sines are made of it


class Block(nn.Module):
    """Two convolutions with a way around them, moved by the noise level, beside latents.

    Source: arXiv 2408.09792, its code: ResConvBlock. There the noise level's factor has no 1 in
    front of it.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int,
        groups: int = 0,
        level_width: int = 0,
        n_aligned: int = 0,
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.first = nn.Conv1d(n_in, n_out, kernel, padding=pad)
        self.first_norm = _norm(groups, n_out)
        self.film = None
        if level_width:
            self.film = nn.Sequential(
                nn.Linear(level_width, level_width, bias=False),
                nn.SiLU(),
                nn.Linear(level_width, 2 * n_out, bias=False),
            )
        self.aligned = nn.Conv1d(n_aligned, n_aligned, kernel, padding=pad) if n_aligned else None
        self.second = nn.Conv1d(n_out + n_aligned, n_out, kernel, padding=pad)
        self.second_norm = _norm(groups, n_out)
        self.last = nn.Conv1d(n_out, n_out, 1)
        self.around = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(
        self,
        values: Float[Tensor, "batch channel frame"],
        level: Float[Tensor, "batch width"] | None = None,
        aligned: Float[Tensor, "batch latent other"] | None = None,
        kept: Float[Tensor, "batch inner 1"] | None = None,
    ) -> Tensor:
        """(batch, channel, frame); `kept` is by what channels are multiplied, where some drop."""
        inner = torch.nn.functional.silu(self.first_norm(self.first(values)))
        if self.film is not None and level is not None:
            factor, shift = self.film(level)[..., None].chunk(2, 1)
            inner = torch.nn.functional.silu(inner * (1 + factor) + shift)
        if self.aligned is not None and aligned is not None:
            near = torch.nn.functional.interpolate(aligned, inner.shape[2], mode="nearest-exact")
            inner = torch.cat([inner, torch.nn.functional.silu(self.aligned(near))], 1)
        if kept is not None:
            inner = inner * kept
        made = torch.nn.functional.silu(self.second_norm(self.second(inner)))
        return self.around(values) + self.last(made)


class Attention(nn.Module):
    """Each frame looks at all frames, added to what came in."""

    def __init__(self, channels: int, heads_of: int) -> None:
        super().__init__()
        self.n_heads = max(1, channels // heads_of)
        self.norm = nn.GroupNorm(1, channels)
        self.ask = nn.Conv1d(channels, 3 * channels, 1)
        self.out = nn.Conv1d(channels, channels, 1)

    def forward(self, values: Float[Tensor, "batch channel frame"]) -> Tensor:
        """The same shape."""
        parts = self.ask(self.norm(values)).unflatten(1, (3, self.n_heads, -1)).transpose(3, 4)
        found = torch.nn.functional.scaled_dot_product_attention(*parts.unbind(1))
        return values + self.out(found.transpose(2, 3).flatten(1, 2))


class UNet(nn.Module):
    """From noisy data, their noise level and latents beside them to data of the same frames.

    Source: arXiv 2408.09792, its code: DecompUNet and UNet.
    """

    def __init__(self, n_in: int, n_out: int, n_aligned: int, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        own, width = settings, settings.level_width
        more = (own.groups, width, n_aligned)
        pairs = list(zip(own.channels[:-1], own.channels[1:], strict=True))
        kernels, deepest = own.kernels, own.channels[-1]
        self.told = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width), nn.SiLU()
        )
        self.first = nn.Conv1d(n_in, own.channels[0], kernels[0], padding=kernels[0] // 2)
        self.down, self.narrow, self.up, self.wide = (nn.ModuleList() for _ in range(4))
        for (here, there), kernel, stride in zip(pairs, kernels, own.strides, strict=True):
            self.down.append(Block(here, here, kernel, *more))
            self.narrow.append(nn.Conv1d(here, there, 2 * stride + 1, stride, padding=stride))
            self.wide.append(
                nn.ConvTranspose1d(there, here, 2 * stride, stride, padding=stride // 2)
                if stride > 1
                else nn.Conv1d(there, here, 3, padding=1)
            )
            self.up.append(Block(2 * here, here, kernel, *more))
        self.middle = nn.ModuleList(Block(deepest, deepest, kernels[-1], *more) for _ in range(2))
        self.attention = Attention(deepest, own.heads_of) if own.attention else nn.Identity()
        self.final = nn.Conv1d(own.channels[0], n_out, 3, padding=1)
        self.step = math.prod(own.strides)

    def forward(
        self,
        noisy: Float[Tensor, "batch channel frame"],
        level: Float[Tensor, " batch"],
        aligned: Float[Tensor, "batch latent frame"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch out frame"]:
        """What the network says; `level` is from 0, all noise, to 1.

        With a `generator`, which training has, values are left out as the settings say.
        """
        n_frames = noisy.shape[2]
        room = (0, -n_frames % self.step)
        values = self.first(torch.nn.functional.pad(noisy, room))
        aligned = torch.nn.functional.pad(aligned, room)
        told = self.told(level_embedding(level * LEVELS, self.settings.level_width))
        stages = []
        for block, narrow in zip(self.down, self.narrow, strict=True):
            values = block(values, told, aligned, self._kept(values, block, generator))
            stages.append(values)
            values = narrow(values)
        values = self.middle[0](values, told, aligned, None)
        values = self.middle[1](self.attention(values), told, aligned, None)
        for number in reversed(range(len(stages))):
            block, wide, stage = self.up[number], self.wide[number], stages[number]
            values = torch.cat([wide(values)[:, :, : stage.shape[2]], stage], 1)
            values = block(values, told, aligned, self._kept(values, block, generator))
        return self.final(values)[:, :, :n_frames]

    def _kept(
        self, like: Tensor, block: nn.Module, generator: torch.Generator | None
    ) -> Tensor | None:
        rate = self.settings.dropout
        if generator is None or not rate:
            return None
        n_channels = int(block.second.in_channels)  # type: ignore[union-attr,arg-type]
        drawn = torch.rand(len(like), n_channels, 1, generator=generator, device=generator.device)
        return (drawn >= rate).to(like) / (1 - rate)


class Encoder(nn.Module):
    """A few numbers a frame, from all numbers of the frames around it.

    Source: arXiv 2408.09792, its code: one encoder of MultiEncoder; nothing is normalised.
    """

    def __init__(self, n_in: int, stages: tuple[int, ...], kernel: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for here, there in zip((n_in, *stages), (*stages, width), strict=True):
            layers += [
                Block(here, here, kernel),
                nn.Conv1d(here, there, kernel, padding=kernel // 2),
            ]
        self.layers = nn.Sequential(*layers, Block(width, width, kernel))

    def forward(self, data: Float[Tensor, "batch channel frame"]) -> Tensor:
        """(batch, width, frame)."""
        return self.layers(data)


def _norm(groups: int, channels: int) -> nn.Module:
    return nn.GroupNorm(math.gcd(groups, channels), channels) if groups else nn.Identity()
