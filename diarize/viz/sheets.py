"""Many small images on one sheet, in rows and columns; and lines over betas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from diarize.errors import BadCall
from diarize.viz.lanes import PALETTE
from diarize.viz.timeline import DOTS_PER_IN, FAINT, GRID, drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE_IN = 0.55
LINES_IN = (5.2, 3.0)


def sheet(
    images: UInt8[np.ndarray, "row column value"],
    n_planes: int = 1,
    titles: Sequence[str] | None = None,
) -> Figure:
    """Return a figure of square images, 0 to 255, with a title over each column.

    Raises:
        BadCall: no images, values that make no squares, or a number of titles unlike the columns'.
    """
    from matplotlib.figure import Figure

    n_rows, n_columns, n_values = images.shape
    side = math.isqrt(n_values // n_planes)
    if not images.size or side**2 * n_planes != n_values:
        raise BadCall(f"images of shape {images.shape} in {n_planes} planes; expected squares")
    if titles is not None and len(titles) != n_columns:
        raise BadCall(f"{len(titles)} titles of {n_columns} columns; expected one each")
    tiles = images.reshape(n_rows, n_columns, n_planes, side, side)
    tiles = np.pad(tiles, ((0, 0),) * 3 + ((1, 1),) * 2, constant_values=128)
    whole = tiles.transpose(0, 3, 1, 4, 2).reshape(n_rows * (side + 2), n_columns * (side + 2), -1)
    height = TILE_IN * n_rows + (0.3 if titles else 0.05)
    figure = Figure(
        figsize=(max(TILE_IN * n_columns, 1.0), height), dpi=DOTS_PER_IN, facecolor="white"
    )
    axes = figure.add_axes((0, 0, 1, TILE_IN * n_rows / height))
    shown = whole[..., 0] if n_planes == 1 else whole
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
    axes.set_axis_off()
    for column, title in enumerate(titles or ()):
        place = ((column + 0.5) / n_columns, TILE_IN * n_rows / height + 0.01)
        figure.text(*place, drawable(title), ha="center", va="bottom", fontsize=7, color=FAINT)
    return figure


def lines_of(
    across: Float[np.ndarray, " point"],
    lines: Float[np.ndarray, "line point"],
    across_title: str,
    title: str,
) -> Figure:
    """Return a figure of lines over numbers above 0, both axes by powers of ten."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=LINES_IN, dpi=DOTS_PER_IN, layout="constrained", facecolor="white")
    axes = figure.subplots()
    for number, line in enumerate(lines):
        axes.plot(across, line, marker="o", markersize=2.5, color=PALETTE[number % len(PALETTE)])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(across_title, fontsize=8, color=FAINT)
    axes.set_title(title, loc="left", fontsize=8, color=FAINT)
    axes.grid(color=GRID, linewidth=0.7)
    axes.tick_params(labelsize=7)
    return figure
