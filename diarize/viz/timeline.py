"""A picture of who spoke when: a row for each speaker, the truth beneath, and how sure it is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyannote.core import Annotation

from diarize.formats.whole import whole
from diarize.models.contract import Activity
from diarize.viz.lanes import Lane, clock, envelope, lanes, overlaps, tick_times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 11.0
ROW_IN = 0.36
DOTS_PER_IN = 120
INK, FAINT, GRID, OVERLAP = "#222222", "#666666", "#e4e4e4", "#dcd6ea"
N_SHADES = 2000  # across the picture: more than it has dots
NAME_LIMIT = 24


@dataclass(frozen=True)
class _Panel:
    """One view of the recording: what was found, or what is true."""

    title: str
    annotation: Annotation
    lanes: list[Lane]
    activity: Activity | None = None


def timeline(
    annotation: Annotation,
    reference: Annotation | None = None,
    activity: Activity | None = None,
    duration_s: float | None = None,
) -> Figure:
    """Return a figure with one row a speaker, in the order in which they first talk.

    A bar is a turn; the shade behind it is the probability in `activity`; lilac bands are where
    several people talk at once. The rows of `reference` come beneath, in the colours of those they
    share most time with. The figure belongs to no window and no global state, so that this may be
    called from any thread; `png` turns it into bytes.
    """
    from matplotlib.figure import Figure

    found = lanes(annotation)
    panels = [_Panel("found", annotation, found, activity)]
    if reference is not None:
        panels.append(_Panel("reference", reference, lanes(reference, like=found)))
    end_s = duration_s or _end_s(panels)
    heights = [max(1, len(panel.lanes)) for panel in panels]
    height_in = ROW_IN * sum(heights) + 0.34 * len(panels) + 0.5
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DOTS_PER_IN, layout="constrained")
    figure.set_facecolor("white")
    grid = figure.subplots(
        len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        _draw(axes, panel, end_s)
    _mark_times(grid[-1, 0], end_s)
    return figure


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG file, whole or not at all.

    Raises:
        BadFile: the folder or the disk does not allow it; nothing is left behind.
    """
    drawn = png(figure)
    with whole(path) as unfinished:
        unfinished.write_bytes(drawn)


def _end_s(panels: list[_Panel]) -> float:
    ends = [float(lane.turns[-1, 1]) for panel in panels for lane in panel.lanes]
    ends += [
        panel.activity.start_s + panel.activity.n_frames * panel.activity.hop_s
        for panel in panels
        if panel.activity is not None
    ]
    return max(ends, default=0.0) or 1.0


def _draw(axes: Axes, panel: _Panel, end_s: float) -> None:
    n_rows = max(1, len(panel.lanes))
    bands = overlaps(panel.annotation)
    if len(bands):
        axes.broken_barh(_bars(bands), (-0.5, n_rows), color=OVERLAP, linewidth=0, zorder=0)
    for row, lane in enumerate(panel.lanes):
        if panel.activity is not None:
            _shade(axes, panel.activity, lane, row)
        axes.broken_barh(
            _bars(lane.turns),
            (row - 0.27, 0.54),
            facecolor=lane.hue,
            # a thin rim keeps turns visible that are narrower than a dot
            edgecolor=lane.hue,
            linewidth=0.3,
            zorder=3,
        )
    if not panel.lanes:
        axes.text(
            0.5, 0, "no speech", transform=axes.get_yaxis_transform(), ha="center", color=FAINT
        )
    _label_rows(axes, panel, n_rows)
    axes.set_xlim(0, end_s)


def _shade(axes: Axes, activity: Activity, lane: Lane, row: int) -> None:
    """Fill the row behind a speaker's turns, the stronger the surer."""
    from matplotlib.colors import to_rgb

    if lane.speaker not in activity.speakers or not activity.n_frames:
        return
    posterior = activity.posterior[activity.speakers.index(lane.speaker)]
    means, step = envelope(np.asarray(posterior, float), N_SHADES)
    shade = np.zeros((1, len(means), 4))
    shade[..., :3] = to_rgb(lane.hue)
    shade[..., 3] = 0.4 * np.clip(means, 0, 1)
    from_s = activity.start_s
    to_s = from_s + len(means) * step * activity.hop_s
    axes.imshow(
        shade,
        extent=(from_s, to_s, row + 0.45, row - 0.45),
        aspect="auto",
        interpolation="nearest",
        zorder=2,
    )


def _label_rows(axes: Axes, panel: _Panel, n_rows: int) -> None:
    axes.set_ylim(n_rows - 0.5, -0.5)
    names = [drawable(lane.speaker) for lane in panel.lanes]
    axes.set_yticks(range(len(names)), names, parse_math=False, color=INK, fontsize=9)
    for row, lane in enumerate(panel.lanes):
        axes.text(
            1.006,
            row,
            clock(lane.speech_s, decimals=1),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
            color=FAINT,
        )
    title = f"{panel.title}: {len(names)} speaker{'s' * (len(names) != 1)}"
    axes.set_title(title, loc="left", fontsize=9, color=FAINT, pad=3)
    axes.tick_params(length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.7, zorder=1)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _mark_times(axes: Axes, end_s: float) -> None:
    times, decimals = tick_times(end_s)
    texts = [clock(time, decimals) for time in times]
    axes.set_xticks(times, texts, fontsize=8, color=FAINT)


def _bars(spans: Any) -> list[tuple[float, float]]:
    return [(start, end - start) for start, end in spans.tolist()]


def drawable(name: str) -> str:
    """Return `name` on one line, cut when long, with `?` for letters the font lacks."""
    known = _letters()
    text = "".join(letter if ord(letter) in known else "?" for letter in " ".join(name.split()))
    return text if len(text) <= NAME_LIMIT else text[: NAME_LIMIT - 1] + "…"


@cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())
