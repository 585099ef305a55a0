"""Pictures of mixtures and what was separated from them, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall
from diarize.viz.timeline import DOTS_PER_IN, FAINT, GRID, INK, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGE_IN, BARS_IN = 1.05, 2.6
RIGHT, WRONG = "#0072b2", "#d55e00"
GREYS = "gray_r"  # ink on paper


@dataclass(frozen=True)
class Separated:
    """One mixture and what a model made of it.

    Attributes:
        mixture: values from 0 up to the number of sources.
        sources: the separated images, in the order of `classes`.
        classes: the streams found to be on, ascending.
        true_classes: those that are.
        posterior: of every stream, the probability that it is on.
        true_sources: the images that were added up, in the order of `true_classes`, or none.
    """

    mixture: Float[np.ndarray, "row column"]
    sources: Float[np.ndarray, "source row column"]
    classes: tuple[int, ...]
    true_classes: tuple[int, ...]
    posterior: Float[np.ndarray, " stream"]
    true_sources: Float[np.ndarray, "true_source row column"] | None = None

    def __post_init__(self) -> None:
        pairs = [("sources", self.sources, self.classes)]
        if self.true_sources is not None:
            pairs.append(("true sources", self.true_sources, self.true_classes))
        for name, images, classes in pairs:
            if len(images) != len(classes):
                raise BadCall(f"found {len(images)} {name} of {len(classes)} classes")
        n_streams = len(self.posterior)
        for stream in (*self.classes, *self.true_classes):
            if not 0 <= stream < n_streams:
                raise BadCall(
                    f"class {stream} of {n_streams} streams; expected 0 to {n_streams - 1}"
                )


def separations(rows: Sequence[Separated], names: Sequence[str] | None = None) -> Figure:
    """Return a figure with a row a mixture: it, its separated streams, and the posterior.

    A stream's name is blue where it truly is in the mixture and orange where it is not; so are the
    bars, and a frame stands around the bars of those that truly are. True images come after the
    separated ones where they are given. `names` are the streams', else their numbers from 0.

    Raises:
        BadCall: no rows, rows with unequal numbers of streams, or too few names.
    """
    from matplotlib.figure import Figure

    names = _named(rows, names)
    n_found = max(1, *(len(row.sources) for row in rows))
    n_true = max(len(row.true_sources) if row.true_sources is not None else 0 for row in rows)
    n_images = 1 + n_found + n_true
    figure = Figure(
        figsize=(IMAGE_IN * n_images + BARS_IN, (IMAGE_IN + 0.25) * len(rows) + 0.2),
        dpi=DOTS_PER_IN,
        layout="constrained",
        facecolor="white",
    )
    grid = figure.subplots(
        len(rows),
        n_images + 1,
        squeeze=False,
        gridspec_kw={"width_ratios": [IMAGE_IN] * n_images + [BARS_IN]},
    )
    for line, row in zip(grid, rows, strict=True):
        _draw_images(line[:-1], row, names, n_found)
        _draw_posterior(line[-1], row)
    title = "probability of each stream"
    grid[0, -1].set_title(title, loc="left", fontsize=8, color=FAINT, pad=2)
    shown = [drawable(name) for name in names]
    grid[-1, -1].set_xticks(range(len(names)), shown, fontsize=7, color=FAINT, parse_math=False)
    return figure


def _named(rows: Sequence[Separated], names: Sequence[str] | None) -> list[str]:
    n_streams = sorted({len(row.posterior) for row in rows})
    if len(n_streams) != 1:
        raise BadCall(f"found rows with {n_streams or 'no'} streams; expected as many in each")
    names = names if names is not None else [str(index) for index in range(n_streams[0])]
    if len(names) != n_streams[0]:
        raise BadCall(f"found {len(names)} names of streams for {n_streams[0]}")
    return list(names)


def _draw_images(line: Sequence[Axes], row: Separated, names: list[str], n_found: int) -> None:
    for axes in line:
        axes.set_axis_off()
    brightest = max(1.0, float(row.mixture.max()))
    _draw_image(line[0], row.mixture, brightest, f"true: {_listed(row.true_classes, names)}", INK)
    for axes, image, stream in zip(line[1:], row.sources, row.classes, strict=False):
        hue = RIGHT if stream in row.true_classes else WRONG
        _draw_image(axes, image, 1.0, drawable(names[stream]), hue)
    if row.true_sources is not None:
        for axes, image, stream in zip(
            line[1 + n_found :], row.true_sources, row.true_classes, strict=False
        ):
            _draw_image(axes, image, 1.0, f"true {drawable(names[stream])}", FAINT)


def _draw_image(
    axes: Axes, image: Float[np.ndarray, "row column"], brightest: float, title: str, hue: str
) -> None:
    axes.imshow(image, cmap=GREYS, vmin=0, vmax=brightest, interpolation="nearest")
    axes.set_title(title, fontsize=8, color=hue, pad=2, parse_math=False)


def _draw_posterior(axes: Axes, row: Separated) -> None:
    streams = range(len(row.posterior))
    hues = [RIGHT if stream in row.true_classes else WRONG for stream in streams]
    axes.bar(streams, row.posterior, color=hues, width=0.8, zorder=3)
    axes.bar(
        row.true_classes,
        [1.0] * len(row.true_classes),
        fill=False,
        edgecolor=RIGHT,
        linewidth=0.8,
        width=0.9,
        zorder=2,
    )
    axes.set_xlim(-0.6, len(row.posterior) - 0.4)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1], ["0", "", "1"], fontsize=7, color=FAINT)
    axes.set_xticks([])
    axes.grid(axis="y", color=GRID, linewidth=0.7, zorder=1)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _listed(classes: tuple[int, ...], names: list[str]) -> str:
    return drawable(", ".join(names[stream] for stream in classes) or "none")
