"""The common part of encoders of small square images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.errors import BadCall


class ImageTrunk(nn.Module):
    """Convolutions that halve an image now and then, and a dense layer: what is in the image.

    `widths` are the channels of the convolutions and last the width of the dense layer. The first
    convolution is 5 x 5, the others 3 x 3; the first and every second after it halve the sides.
    Each layer has a batch normalisation and a ReLU.

    Raises:
        BadCall: images that are not square.
    """

    def __init__(self, n_values: int, widths: Sequence[int], n_planes: int = 1) -> None:
        super().__init__()
        self.n_planes, self.side = n_planes, math.isqrt(n_values)
        if self.side**2 != n_values:
            raise BadCall(f"an image of {n_values} values is not square; a shared encoder needs it")
        blocks: list[nn.Module] = []
        n_in, side = n_planes, self.side
        for layer, width in enumerate(widths[:-1]):
            halves = layer % 2 == 0
            size = 3 if layer else 5
            blocks += [
                nn.Conv2d(n_in, width, size, 2 if halves else 1, size // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            n_in, side = width, -(-side // 2) if halves else side
        blocks += [nn.Flatten(), nn.Linear(n_in * side * side, widths[-1], bias=False)]
        blocks += [nn.BatchNorm1d(widths[-1]), nn.ReLU()]
        self.blocks = nn.Sequential(*blocks).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Float[Tensor, "batch value"]) -> Float[Tensor, "batch width"]:
        """What is in each image; planes follow one another in a row of values."""
        planes = images.view(len(images), self.n_planes, self.side, self.side)
        return self.blocks(planes.contiguous(memory_format=torch.channels_last))
