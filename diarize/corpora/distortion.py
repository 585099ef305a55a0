"""Small distortions of images: turned, sheared, scaled, shifted, and bent like rubber."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from diarize.config import at_most
from diarize.errors import BadCall

FRAME_PX = 28  # the lengths below are in pixels of an image of this size, whatever is distorted


@dataclass(frozen=True)
class Distortion:
    """The most that each may do to an image; it is drawn evenly from minus that to that.

    `scale` and `shear` are shares of a length; `elastic_px` moves the knots of a grid of
    `elastic_knots` a side, and what lies between them smoothly.
    """

    rotation_deg: float = 8.6
    scale: float = 0.1
    shear: float = 0.15
    shift_px: float = 0.7
    elastic_px: float = 1.75
    elastic_knots: int = 5

    def __post_init__(self) -> None:
        at_most(self, rotation_deg=180, scale=0.9, shear=2)
        for name in ("shift_px", "elastic_px"):
            if not 0 <= getattr(self, name) <= FRAME_PX:
                raise BadCall(f"{name} = {getattr(self, name)}; expected 0 to {FRAME_PX} pixels")
        if not 2 <= self.elastic_knots <= FRAME_PX:
            raise BadCall(f"elastic_knots = {self.elastic_knots}; expected 2 to {FRAME_PX}")


def distort(
    images: Float[Tensor, "image row column"], most: Distortion, generator: torch.Generator
) -> Float[Tensor, "image row column"]:
    """The images, each distorted by chance; what comes in from outside is black.

    Values stay within those that were there (interpolation is bilinear).
    """
    n_images, *size = images.shape
    grid = functional.affine_grid(
        _affine(n_images, most, generator), [n_images, 1, *size], align_corners=False
    )
    knots = _even((n_images, 2, most.elastic_knots, most.elastic_knots), generator)
    bent = functional.interpolate(knots, size=size, mode="bicubic", align_corners=False)
    grid = grid + bent.permute(0, 2, 3, 1) * (most.elastic_px / (FRAME_PX / 2))
    return functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def _affine(
    n_images: int, most: Distortion, generator: torch.Generator
) -> Float[Tensor, "image 2 3"]:
    """Where each pixel is taken from, in halves of the image's side."""
    angle = _even((n_images,), generator) * torch.pi * (most.rotation_deg / 180)
    wide, high = 1 + most.scale * _even((2, n_images), generator)
    shear = most.shear * _even((n_images,), generator)
    across, down = _even((2, n_images), generator) * (most.shift_px / (FRAME_PX / 2))
    cosine, sine = angle.cos(), angle.sin()
    rows = (cosine * wide, shear - sine * high, across, sine * wide, cosine * high, down)
    return torch.stack(rows, 1).view(n_images, 2, 3)


def _even(shape: tuple[int, ...], generator: torch.Generator) -> Float[Tensor, "*axes"]:
    return 2 * torch.rand(shape, generator=generator) - 1
