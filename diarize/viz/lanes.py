"""Lanes: what each speaker's row of a picture shows, and which colour is whose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pyannote.core import Annotation, Timeline

# Okabe and Ito's colours, told apart with any kind of colour vision, without the yellow that is too
# pale for white paper, and two more. Source: https://jfly.uni-koeln.de/color/
PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#8a6d3b",
    "#7b6ccf",
)
MATCH_HOP_S = 0.05
TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


@dataclass(frozen=True)
class Lane:
    """One speaker's turns, merged where they touch, and the place of the speaker's colour."""

    speaker: str
    turns: Float[np.ndarray, "turn 2"]  # start and end, in seconds
    colour: int

    @property
    def speech_s(self) -> float:
        """How long the speaker talks in all."""
        return float(np.sum(self.turns[:, 1] - self.turns[:, 0]))

    @property
    def hue(self) -> str:
        """The colour as #rrggbb; it comes round again after eight speakers."""
        return PALETTE[self.colour % len(PALETTE)]


def lanes(annotation: Annotation, like: list[Lane] | None = None) -> list[Lane]:
    """Return a lane for each speaker, in the order in which they first talk.

    With `like` (the lanes of another view of the same recording), a speaker takes the colour and
    the place of the one there who talks most at the same times, each used once; the rest come
    after them, in colours of their own.
    """
    found = [(str(label), annotation.label_timeline(label)) for label in annotation.labels()]
    spans = [(name, _spans(timeline.support())) for name, timeline in found]
    spans = [(name, turns) for name, turns in spans if len(turns)]
    spans.sort(key=lambda one: (one[1][0, 0], one[0]))
    taken = _matches([turns for _, turns in spans], like or [])
    spare = iter(range(len(like or []), len(like or []) + len(spans)))
    found_lanes = [
        Lane(name, turns, taken[place] if place in taken else next(spare))
        for place, (name, turns) in enumerate(spans)
    ]
    order = [lane.colour for lane in like or []]
    return sorted(
        found_lanes,
        key=lambda lane: order.index(lane.colour) if lane.colour in order else len(order),
    )


def overlaps(annotation: Annotation) -> Float[np.ndarray, "region 2"]:
    """Return where more than one speaker talks: starts and ends, in seconds."""
    edges = [
        edge
        for lane in lanes(annotation)
        for start_s, end_s in lane.turns.tolist()
        for edge in ((start_s, 1), (end_s, -1))
    ]
    regions, n_talking, began_s = [], 0, 0.0
    for at_s, step in sorted(edges):  # at one time, ends come before starts
        if n_talking == 1 and step == 1:
            began_s = at_s
        if n_talking == 2 and step == -1 and at_s > began_s:
            regions.append((began_s, at_s))
        n_talking += step
    return np.array(regions, dtype=float).reshape(-1, 2)


def clock(seconds: float, decimals: int = 0) -> str:
    """Return a time as people write it.

    >>> clock(75.0), clock(3675.25, decimals=1), clock(59.96, decimals=1)
    ('1:15', '1:01:15.2', '1:00.0')
    """
    ticks = round(seconds * 10**decimals)
    whole, part = divmod(ticks, 10**decimals)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    tail = f".{part:0{decimals}d}" if decimals else ""
    return f"{hours}:{minute:02d}:{second:02d}{tail}" if hours else f"{minute}:{second:02d}{tail}"


def tick_times(duration_s: float, at_most: int = 12) -> tuple[list[float], int]:
    """Return round times for an axis from 0 to `duration_s`, and the decimals they need.

    >>> tick_times(30.0, at_most=4)
    ([0.0, 10.0, 20.0, 30.0], 0)
    """
    # a step above the largest means a recording of a day or more: hours do not matter then
    step_s = next(
        (step for step in TICK_STEPS_S if duration_s / step < at_most), duration_s / at_most
    )
    times = [step_s * index for index in range(int(duration_s / step_s + 1e-9) + 1)]
    return [float(time) for time in times], 1 if step_s < 1 else 0


def _spans(timeline: Timeline) -> Float[np.ndarray, "turn 2"]:
    return np.array([(segment.start, segment.end) for segment in timeline], float).reshape(-1, 2)


def _matches(spans: list[Float[np.ndarray, "_ 2"]], like: list[Lane]) -> dict[int, int]:
    """Return the colour of the lane that each of `spans` shares most time with."""
    if not spans or not like:
        return {}
    from scipy.optimize import linear_sum_assignment

    end_s = max(turns[-1, 1] for turns in [*spans, *(lane.turns for lane in like)])
    n_frames = int(end_s / MATCH_HOP_S) + 1
    shared = _drawn(spans, n_frames) @ _drawn([lane.turns for lane in like], n_frames).T
    rows, columns = linear_sum_assignment(-shared)
    return {
        int(row): like[column].colour
        for row, column in zip(rows, columns, strict=True)
        if shared[row, column] > 0
    }


def _drawn(
    spans: list[Float[np.ndarray, "_ 2"]], n_frames: int
) -> Float[np.ndarray, "speaker frame"]:
    drawn = np.zeros((len(spans), n_frames), np.float32)
    for row, turns in zip(drawn, spans, strict=True):
        for start, end in np.rint(turns / MATCH_HOP_S).astype(int):
            row[start:end] = 1
    return drawn


def envelope(
    values: Float[np.ndarray, " frame"], n_points: int
) -> tuple[Float[np.ndarray, " point"], int]:
    """Return the mean over as many frames a point as fit, and how many frames that is."""
    step = max(1, -(-len(values) // n_points))
    n_full = len(values) // step * step
    means = values[:n_full].reshape(-1, step).mean(axis=1)
    if n_full < len(values):
        means = np.append(means, values[n_full:].mean())
    return means, step
