"""Curves of a training, from the rows of its journal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall
from diarize.viz.lanes import PALETTE
from diarize.viz.timeline import DOTS_PER_IN, FAINT, GRID, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_IN = (4.6, 2.3)
N_NAMED = 12  # more streams than that have no legend
LOSS, PRIOR, SCALE = "loss, nats a datum", "pi of each stream", "b, the noise scale"
_PRIOR_KEY = "pi_"
_KINDS = ("step", "epoch")


@dataclass(frozen=True)
class Curve:
    """Values at times, which are epochs done in their phase."""

    epochs: Float[np.ndarray, " point"]
    values: Float[np.ndarray, " point"]


def learning_curves(
    rows: Sequence[Mapping[str, Any]],
    true_pi: float | Sequence[float] | None = None,
    true_b: float | None = None,
) -> Figure:
    """Return a figure of a training: a column a phase; the loss, and pi and b where they are.

    The loss of the steps is thin, its mean over an epoch thick. The values that the data were made
    with are broken lines: one `true_pi` for all streams, or one for each. Where a training went on
    from before it was killed, the later row of a step or an epoch counts.

    Args:
        rows: of kind "step" (with phase, epoch from 0, step, total), and of kind "epoch" (with
            phase, epoch, pi_0, pi_1 and so on, and b, as far as the model has them).
        true_pi: the share of mixtures that a stream is in.
        true_b: the scale of the noise.

    Raises:
        BadCall: there is no row of a step or an epoch, or one lacks its phase or number.
    """
    from matplotlib.figure import Figure

    phases = list(dict.fromkeys(_place(row)[0] for row in rows if row.get("kind") in _KINDS))
    if not phases:
        raise BadCall("the journal has no rows of steps or epochs; train for a step first")
    panels = {
        LOSS: [loss_curve(rows, phase) for phase in phases],
        PRIOR: [_priors(rows, phase) for phase in phases],
        SCALE: [epoch_curves(rows, phase, ["b"]) for phase in phases],
    }
    panels = {name: drawn for name, drawn in panels.items() if any(drawn) or name == LOSS}
    figure = Figure(
        figsize=(PANEL_IN[0] * len(phases) + 0.4, PANEL_IN[1] * len(panels)),
        dpi=DOTS_PER_IN,
        layout="constrained",
        facecolor="white",
    )
    grid = figure.subplots(len(panels), len(phases), squeeze=False)
    for line, (name, drawn) in zip(grid, panels.items(), strict=True):
        for axes, phase, curves in zip(line, phases, drawn, strict=True):
            if not curves:
                axes.set_axis_off()
                continue
            _draw(axes, curves, f"{phase}: {name}")
            _draw_truth(axes, name, curves, true_pi, true_b)
    for column, curves_of in zip(grid.T, zip(*panels.values(), strict=True), strict=True):
        _mark_epochs(column, curves_of)
    return figure


def loss_curve(rows: Sequence[Mapping[str, Any]], phase: str) -> dict[str, Curve]:
    """Return the curves `steps` and `epochs` of the total loss in a phase; empty without steps.

    A row stands where its step ends, in parts of the longest epoch known; it weighs in the mean of
    its epoch, which stands at the middle of it, by the `n_steps` it tells of.
    """
    by_step = {
        (_place(row)[1], int(row["step"])): (
            _number(row.get("total")),
            float(row.get("n_steps", 1)),
        )
        for row in rows
        if row.get("kind") == "step" and _place(row)[0] == phase
    }
    if not by_step:
        return {}
    places = sorted(by_step)
    totals, weights = np.array([by_step[place] for place in places], float).T
    epoch, step = np.array(places, float).T
    times = epoch + (step + 1) / (step.max() + 1)
    known = np.unique(epoch)
    means = [np.average(totals[epoch == one], weights=weights[epoch == one]) for one in known]
    middles = [(one + times[epoch == one].max()) / 2 for one in known]
    return {"steps": Curve(times, totals), "epochs": Curve(np.array(middles), np.array(means))}


def epoch_curves(
    rows: Sequence[Mapping[str, Any]], phase: str, keys: Sequence[str]
) -> dict[str, Curve]:
    """Return the curves of those `keys` that the epochs of a phase have, in the order given."""
    of_epoch = {
        _place(row)[1]: row
        for row in rows
        if row.get("kind") == "epoch" and _place(row)[0] == phase
    }
    curves = {}
    for key in keys:
        points = [(epoch + 1, _number(row[key])) for epoch, row in of_epoch.items() if key in row]
        if points:
            ends, values = np.array(sorted(points), float).T
            curves[key] = Curve(ends, values)
    return curves


def _priors(rows: Sequence[Mapping[str, Any]], phase: str) -> dict[str, Curve]:
    keys = {
        key
        for row in rows
        if row.get("kind") == "epoch" and _place(row)[0] == phase
        for key in row
        if key.startswith(_PRIOR_KEY) and key.removeprefix(_PRIOR_KEY).isdecimal()
    }
    return epoch_curves(rows, phase, sorted(keys, key=_stream))


def _stream(key: str) -> int:
    return int(key.removeprefix(_PRIOR_KEY))


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    needed = ("phase", "epoch", "step") if row.get("kind") == "step" else ("phase", "epoch")
    for key in needed:
        if key not in row:
            raise BadCall(f"a row of kind {row.get('kind')!r} in the journal has no {key!r}")
    return str(row["phase"]), int(row["epoch"])


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _draw(axes: Axes, curves: Mapping[str, Curve], title: str) -> None:
    named = 1 < len(curves) <= N_NAMED and "steps" not in curves
    for index, (name, curve) in enumerate(curves.items()):
        hue, width, alpha = PALETTE[index % len(PALETTE)], 1.4, 1.0
        if name == "steps":
            width, alpha = 0.6, 0.45
        if "steps" in curves:
            hue = PALETTE[0]
        dashes = "-" if index < len(PALETTE) else "-."
        # a curve of one point would not be seen without a mark
        mark = "o" if len(curve.values) == 1 else ""
        axes.plot(
            curve.epochs,
            curve.values,
            dashes,
            marker=mark,
            markersize=3,
            color=hue,
            linewidth=width,
            alpha=alpha,
            label=name.removeprefix(_PRIOR_KEY),
        )
    if named:
        axes.legend(fontsize=6, ncols=5, frameon=False, loc="upper right")
    axes.set_title(title, loc="left", fontsize=9, color=FAINT, parse_math=False)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=FAINT)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _mark_epochs(column: Sequence[Axes], panels: Sequence[Mapping[str, Curve]]) -> None:
    """Give the panels of a phase the same epochs, named below the last that is drawn."""
    drawn = [axes for axes, curves in zip(column, panels, strict=True) if curves]
    if not drawn:
        return
    end = max(curve.epochs.max() for curves in panels for curve in curves.values())
    for axes in drawn:
        axes.set_xlim(0, end)
    drawn[-1].set_xlabel("epochs", fontsize=8, color=FAINT)


def _draw_truth(
    axes: Axes,
    name: str,
    curves: Mapping[str, Curve],
    true_pi: float | Sequence[float] | None,
    true_b: float | None,
) -> None:
    if name == SCALE and true_b is not None:
        axes.axhline(true_b, color=INK, linestyle="--", linewidth=1)
    if name != PRIOR or true_pi is None:
        return
    if isinstance(true_pi, int | float):
        axes.axhline(true_pi, color=INK, linestyle="--", linewidth=1)
        return
    for index, key in enumerate(curves):
        if _stream(key) >= len(true_pi):
            raise BadCall(f"found {len(true_pi)} true pi; the journal has stream {_stream(key)}")
        hue = PALETTE[index % len(PALETTE)]
        axes.axhline(true_pi[_stream(key)], color=hue, linestyle="--", linewidth=0.8, alpha=0.7)
