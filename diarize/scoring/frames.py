"""The scored time as frames of 10 ms: who talks in them, and how probable that was held to be."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator

import numpy as np
from jaxtyping import Bool, Float

from diarize.errors import BadCall
from diarize.formats.activity import Activity
from diarize.formats.text import shown
from diarize.scoring.turns import Turns

FRAME_S = 0.01
FRAMES_AT_ONCE = 1 << 20
Window = tuple[int, int]  # the first frame and the one after the last


def scored_windows(
    regions_s: Float[np.ndarray, "region 2"],
) -> Iterator[tuple[Window, Bool[np.ndarray, " frame"]]]:
    """Yield windows that tile time from 0, and which of their frames have a scored centre."""
    n_frames = math.ceil(regions_s.max() / FRAME_S) if regions_s.size else 0
    for begin in range(0, n_frames, FRAMES_AT_ONCE):
        window = (begin, min(begin + FRAMES_AT_ONCE, n_frames))
        yield window, _covered(regions_s[:, 0], regions_s[:, 1], window)


def activity_row(turns: Turns, label: Hashable, window: Window) -> Bool[np.ndarray, " frame"]:
    """Return whether each frame's centre lies in a turn of a speaker, start included, end not."""
    theirs = turns.speaker == turns.speakers.index(label)
    return _covered(turns.start_s[theirs], turns.end_s[theirs], window)


def posterior_row(
    posterior: Activity, label: Hashable, window: Window
) -> Float[np.ndarray, " frame"]:
    """Return a speaker's posterior at the frames' centres; 0 before its start and after its end.

    Raises:
        BadCall: the speaker has no row in the posterior.
    """
    if str(label) not in posterior.speakers:
        raise BadCall(
            f"found no row for speaker {shown(str(label))} in the posterior; "
            f"it has {', '.join(posterior.speakers) or 'none'}"
        )
    row = posterior.posterior[posterior.speakers.index(str(label))]
    centre_s = (np.arange(*window) + 0.5) * FRAME_S
    # a hair forward: a centre that lies on an edge belongs to the frame that begins there
    frame = np.floor((centre_s - posterior.start_s) / posterior.hop_s + 1e-6).astype(np.int64)
    inside = (frame >= 0) & (frame < len(row))
    values = np.zeros(len(frame))
    values[inside] = row[frame[inside]]
    return values


def _covered(
    start_s: Float[np.ndarray, " turn"], end_s: Float[np.ndarray, " turn"], window: Window
) -> Bool[np.ndarray, " frame"]:
    # to a ten-thousandth of a frame, so that 0.015 / 0.01 is 1.5
    first, last = (
        np.ceil(np.round(edge_s / FRAME_S - 0.5, 4)).astype(np.int64) for edge_s in (start_s, end_s)
    )
    width = window[1] - window[0]
    first, last = np.clip(first - window[0], 0, width), np.clip(last - window[0], 0, width)
    opened = np.bincount(first, minlength=width + 1) - np.bincount(last, minlength=width + 1)
    return np.cumsum(opened)[:-1] > 0
