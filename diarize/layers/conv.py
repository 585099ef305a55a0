"""Convolutions with a way around them: over samples, over bands and frames, over frames."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SampleBlock(nn.Module):
    """Convolutions of 1, 3 and 1 samples, normalised, added to what came in.

    Source: arXiv 2408.07020, its code: ResidualBlock.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for kernel in (1, 3, 1):
            layers += [
                nn.Conv1d(channels, channels, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(channels),
                nn.PReLU(init=0.1),
            ]
        self.layers = nn.Sequential(*layers[:-1])
        self.last = nn.PReLU(init=0.1)

    def forward(self, values: Float[Tensor, "batch channel time"]) -> Tensor:
        """The same shape."""
        return self.last(values + self.layers(values))


class BandBlock(nn.Module):
    """Two convolutions of 3 frames by 3 bands, added to what came in, at first hardly at all.

    Nothing is normalised, which would take longer than the convolutions; a small share serves.
    Source: De and Smith, "Batch normalization biases residual blocks towards the identity
    function in deep networks", arXiv 2002.10444.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.share = nn.Parameter(torch.full((channels, 1, 1), 0.1))

    def forward(self, values: Float[Tensor, "batch channel frame band"]) -> Tensor:
        """The same shape."""
        return values + self.share * self.second(torch.relu(self.first(torch.relu(values))))


class FrameBlock(nn.Module):
    """A convolution over time of each number by itself, then all numbers of a frame together.

    Source: the blocks of ConvNeXt (arXiv 2201.03545), over time, with frames left out between.
    """

    def __init__(self, width: int, kernel: int, apart: int) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(
            width, width, kernel, padding=apart * (kernel // 2), dilation=apart, groups=width
        )
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, values: Float[Tensor, "batch frame width"]) -> Tensor:
        """The same shape."""
        inner = self.over_time(values.transpose(1, 2)).transpose(1, 2)
        return values + self.narrow(torch.relu(self.wide(self.norm(inner))))
