"""Turns as arrays: what scoring counts with, in place of one object a turn."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pyannote.core import Annotation, Timeline

from diarize.formats.text import SHORTEST_S


@dataclass(frozen=True)
class Turns:
    """Who speaks when: no two turns of one speaker overlap or touch.

    Sorted by speaker, then by start; `speaker` counts into `speakers`, which are sorted as
    pyannote.core sorts labels. `n_merged` turns overlapped an earlier one of their speaker.
    """

    start_s: Float[np.ndarray, " turn"]
    end_s: Float[np.ndarray, " turn"]
    speaker: Int[np.ndarray, " turn"]
    speakers: tuple[Hashable, ...]
    n_merged: int = 0

    @property
    def extent_s(self) -> tuple[float, float] | None:
        """Start of the first turn and end of the last, in seconds; None without turns."""
        return (float(self.start_s.min()), float(self.end_s.max())) if len(self.start_s) else None


def turns_of(annotation: Annotation | Turns) -> Turns:
    """Return the turns of an annotation, those of one speaker that overlap or touch merged.

    What are turns already are returned as they are.

    The same merging as `annotation.support()`: without it, time in which a speaker's turns
    overlap would count twice.

    >>> from pyannote.core import Segment
    >>> said_twice = Annotation()
    >>> said_twice[Segment(0, 10)] = said_twice[Segment(8, 14)] = "ann"
    >>> turns_of(said_twice).end_s, turns_of(said_twice).n_merged
    (array([14.]), 1)
    """
    if isinstance(annotation, Turns):
        return annotation
    records = [
        (float(segment.start), float(segment.end), label)
        for segment, _, label in annotation.itertracks(yield_label=True)
    ]
    speakers = tuple(sorted({record[2] for record in records}, key=str))
    index = {label: i for i, label in enumerate(speakers)}
    start_s = np.array([record[0] for record in records], dtype=float)
    end_s = np.array([record[1] for record in records], dtype=float)
    speaker = np.array([index[record[2]] for record in records], dtype=np.int64)
    merged = [
        _merged(start_s[speaker == i], end_s[speaker == i]) for i in range(len(speakers))
    ]  # itertracks gives them sorted by start
    return Turns(
        np.concatenate([part[0] for part in merged] or [start_s]),
        np.concatenate([part[1] for part in merged] or [end_s]),
        np.repeat(np.arange(len(speakers)), [len(part[0]) for part in merged]).astype(np.int64),
        speakers,
        sum(part[2] for part in merged),
    )


def regions_of(timeline: Timeline) -> Float[np.ndarray, "region 2"]:
    """Return start and end, in seconds, of each region; overlapping or touching ones merged."""
    regions = [(float(region.start), float(region.end)) for region in timeline.support()]
    return np.array(regions, dtype=float).reshape(-1, 2)


def _merged(
    start_s: Float[np.ndarray, " turn"], end_s: Float[np.ndarray, " turn"]
) -> tuple[np.ndarray, np.ndarray, int]:
    reach_s = np.maximum.accumulate(end_s)
    gap_s = start_s[1:] - reach_s[:-1]
    opens = np.flatnonzero(np.concatenate([[True], gap_s > SHORTEST_S]))
    closes = np.concatenate([opens[1:], [len(start_s)]]) - 1
    return start_s[opens], reach_s[closes], int((gap_s < -SHORTEST_S).sum())
