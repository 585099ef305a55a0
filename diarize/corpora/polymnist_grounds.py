"""The five grounds that PolyMNIST's digits stand on, made by rule: no two look alike.

The corpus as published crops five photographs, which are not free to pass on. These have their
traits: fine and coarse structure in colours of its own each, the same everywhere in the image.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional

from diarize.corpora.chance import generator_of

SIDE = 256  # pixels
KINDS = ("clouds", "planks", "stones", "bricks", "leaves")
_COLOURS = {  # RGB of the lowest and the highest value; no red in the first, no blue in the last
    "clouds": ((40, 90, 160), (220, 235, 245)),
    "planks": ((70, 35, 10), (215, 160, 95)),
    "stones": ((35, 35, 40), (235, 230, 220)),
    "bricks": ((120, 45, 120), (250, 190, 215)),
    "leaves": ((25, 70, 10), (225, 220, 90)),
}


@functools.lru_cache(maxsize=2)
def grounds(seed: int) -> UInt8[np.ndarray, "5 row column 3"]:
    """The ground of each view, 256 pixels a side; they hang on the seed alone."""
    makers = (_clouds, _planks, _stones, _bricks, _leaves)
    made = []
    for kind, maker in zip(KINDS, makers, strict=True):
        field = maker(generator_of(seed, "ground", kind))
        field = (field - field.min()) / (field.max() - field.min())
        low, high = (np.array(colour, np.float64) for colour in _COLOURS[kind])
        made.append((low + field[..., None] * (high - low)).round().astype(np.uint8))
    found = np.stack(made)
    found.flags.writeable = False  # the same array for all who ask
    return found


def _smooth(chance: np.random.Generator, knots: int) -> Float[np.ndarray, "row column"]:
    """Values that change smoothly between `knots` a side."""
    coarse = torch.from_numpy(chance.standard_normal((1, 1, knots, knots)))
    size = (SIDE, SIDE)
    fine = functional.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
    return fine[0, 0].numpy()


def _clouds(chance: np.random.Generator) -> Float[np.ndarray, "row column"]:
    return np.sum([_smooth(chance, 2**octave) / 2**octave for octave in range(2, 8)], axis=0)


def _planks(chance: np.random.Generator) -> Float[np.ndarray, "row column"]:
    across = np.arange(SIDE)[None, :] / SIDE
    grain = np.sin(
        2 * np.pi * (14 * across + 0.35 * _smooth(chance, 5)) + 0.4 * _smooth(chance, 40)
    )
    seams = np.where((np.arange(SIDE) % 32 < 2)[None, :], -1.5, 0.0)
    return grain + seams


def _stones(chance: np.random.Generator) -> Float[np.ndarray, "row column"]:
    """Cells around points of chance, dark where two meet."""
    points = chance.random((260, 2)) * SIDE
    at = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1)
    apart = torch.cdist(
        torch.from_numpy(at.reshape(-1, 2).astype(np.float64)), torch.from_numpy(points)
    )
    nearest = apart.topk(2, dim=1, largest=False)
    edge = (nearest.values[:, 1] - nearest.values[:, 0]).clamp(max=3) / 3
    shade = torch.from_numpy(chance.random(len(points)))[nearest.indices[:, 0]]
    return (edge * (0.6 + 0.4 * shade)).numpy().reshape(SIDE, SIDE)


def _bricks(chance: np.random.Generator) -> Float[np.ndarray, "row column"]:
    row, column = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    course = row // 12
    shifted = (column + 12 * (course % 2)) % SIDE
    shade = chance.random((course.max() + 1, SIDE // 24 + 1))
    mortar = (row % 12 < 2) | (shifted % 24 < 2)
    return np.where(mortar, 0.0, 0.35 + 0.65 * shade[course, shifted // 24])


def _leaves(chance: np.random.Generator) -> Float[np.ndarray, "row column"]:
    """Discs over one another, each lighter towards its middle."""
    field = np.zeros((SIDE, SIDE))
    middles, radii = chance.random((700, 2)) * SIDE, 6 + 9 * chance.random(700)
    for middle, radius, shade in zip(middles, radii, chance.random(700), strict=True):
        spans = [
            np.arange(max(int(at - radius), 0), min(int(at + radius) + 2, SIDE)) for at in middle
        ]
        far = np.hypot(spans[0][:, None] - middle[0], spans[1][None, :] - middle[1])
        here = np.ix_(*spans)
        field[here] = np.where(far < radius, shade + 0.5 * (1 - far / radius), field[here])
    return field
