"""The published network: samples to latents by strided convolutions, and back to a sound a stem."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.layers.conv import SampleBlock
from diarize.models.rqvae.config import WaveformSettings

Sounds = Float[Tensor, "batch channel time"]


class WaveformEncoder(nn.Module):
    """Latents of a mixture, and what each stage had, which a decoder may be given besides.

    Source: arXiv 2408.07020, its code. There, dropout is also between the recurrent layers.
    """

    def __init__(self, settings: WaveformSettings) -> None:
        super().__init__()
        self.dropout = settings.dropout
        self.stages, before = nn.ModuleList(), 1
        plan = zip(settings.channels, settings.kernels, settings.strides, strict=True)
        for channels, kernel, stride in plan:
            padding = (kernel - stride) // 2
            convolution = nn.Conv1d(before, channels, kernel, stride, padding, bias=False)
            parts = nn.BatchNorm1d(before), convolution, nn.PReLU(init=0.1), SampleBlock(channels)
            self.stages.append(nn.ModuleList(parts))
            before = channels
        self.over_time = nn.LSTM(
            before, before, settings.n_recurrent, batch_first=True, bidirectional=True
        )
        self.narrow = nn.Linear(2 * before, before)

    def forward(
        self, mixture: Sounds, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "batch frame latent"], list[Tensor]]:
        """Latents, and each stage's numbers (batch, channel, time); `generator` is for dropout."""
        values, stages = mixture, []
        for stage in self.stages:
            norm, convolution, bend, block = cast(nn.ModuleList, stage)
            values = bend(convolution(norm(values)))
            values = block(left_out(values, self.dropout, generator))
            stages.append(values)
        return self.narrow(self.over_time(values.transpose(1, 2))[0]), stages


class WaveformDecoder(nn.Module):
    """A sound for each stem, of latents and, where there are any, an encoder's stages."""

    def __init__(self, settings: WaveformSettings, n_sources: int) -> None:
        super().__init__()
        self.dropout = settings.dropout
        widest = settings.channels[-1]
        self.over_time = nn.LSTM(
            widest, widest, settings.n_recurrent, batch_first=True, bidirectional=True
        )
        self.narrow = nn.Linear(2 * widest, widest)
        self.norm = nn.BatchNorm1d(widest)
        channels = (n_sources, *settings.channels)
        self.stages = nn.ModuleList()
        for number in reversed(range(len(settings.channels))):
            kernel, stride = settings.kernels[number], settings.strides[number]
            padding, after = (kernel - stride) // 2, channels[number]
            back = nn.ConvTranspose1d(
                channels[number + 1], after, kernel, stride, padding, bias=False
            )
            last: tuple[nn.Module, ...] = (nn.PReLU(init=0.1), SampleBlock(after)) if number else ()
            self.stages.append(nn.ModuleList([back, *last]))

    def forward(
        self,
        latents: Float[Tensor, "batch frame latent"],
        stages: list[Tensor],
        generator: torch.Generator | None = None,
    ) -> Sounds:
        """The stems (batch, source, time); `stages` is empty, or as the encoder gave it."""
        values = self.narrow(self.over_time(latents)[0]).transpose(1, 2)
        for number, stage in enumerate(self.stages):
            back, *last = cast(nn.ModuleList, stage)
            if stages:
                values = values + stages[-1 - number]
            values = back(values if number else self.norm(values))
            if last:
                bend, block = last
                values = block(left_out(bend(values), self.dropout, generator))
        return values


def left_out(values: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """With a `generator`, a `share` of the values at 0 and the others larger by as much."""
    if generator is None or not share:
        return values
    drawn = torch.rand(values.shape, generator=generator, device=generator.device)
    return values * (drawn >= share).to(values) / (1 - share)
