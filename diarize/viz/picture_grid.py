"""Images in rows and columns, such as views made of other views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall
from diarize.viz.timeline import DOTS_PER_IN, FAINT, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGE_IN = 0.8


def picture_grid(
    images: Float[np.ndarray, "row column plane high wide"],
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Figure:
    """Return a figure of images of one plane (white on black) or three (red, green, blue), 0 to 1.

    `rows` and `columns` are their names, or none.

    Raises:
        BadCall: no images, another number of planes, or names for other rows or columns.
    """
    from matplotlib.figure import Figure

    n_rows, n_columns, n_planes = images.shape[:3]
    if not images.size or n_planes not in (1, 3):
        raise BadCall(f"images of shape {images.shape}; expected some, of one plane or three")
    for names, number, what in ((rows, n_rows, "rows"), (columns, n_columns, "columns")):
        if names and len(names) != number:
            raise BadCall(f"found {len(names)} names for {number} {what}")
    left, top = (0.9 if rows else 0.05), (0.25 if columns else 0.05)
    size = (left + IMAGE_IN * n_columns, top + IMAGE_IN * n_rows)
    figure = Figure(figsize=size, dpi=DOTS_PER_IN, facecolor="white")
    grid = figure.subplots(
        n_rows,
        n_columns,
        squeeze=False,
        gridspec_kw={
            **{"left": left / size[0], "right": 1.0, "bottom": 0.0, "top": 1 - top / size[1]},
            **{"wspace": 0.06, "hspace": 0.06},
        },
    )
    for line, shown in zip(grid, images, strict=True):
        for axes, image in zip(line, shown, strict=True):
            _draw(axes, np.moveaxis(image.clip(0, 1), 0, -1))
    for axes, name in zip(grid[:, 0], rows, strict=False):
        axes.set_ylabel(
            drawable(name),
            rotation=0,
            ha="right",
            va="center",
            fontsize=8,
            color=FAINT,
            parse_math=False,
        )
    for axes, name in zip(grid[0], columns, strict=False):
        axes.set_title(drawable(name), fontsize=8, color=FAINT, pad=3, parse_math=False)
    return figure


def _draw(axes: Axes, image: Float[np.ndarray, "high wide plane"]) -> None:
    """One picture without a frame; of one plane, white on black."""
    is_grey = image.shape[2] == 1
    axes.imshow(
        image[..., 0] if is_grey else image,
        cmap="gray" if is_grey else None,
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
