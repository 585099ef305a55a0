"""Seconds, samples and frames, and the one way to round between them.

Half a sample and half a frame round up. A frame `i` of a grid covers `[start_s + i * hop_s,
start_s + (i + 1) * hop_s)`; a stretch of time holds those frames whose middle lies in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

# decimal seconds are not exact in binary: 0.145 s at 100 frames a second is 14.499999999999998
SLACK = 1e-6


def to_samples(seconds: float, rate_hz: int) -> int:
    """The whole number of samples nearest to `seconds`.

    >>> to_samples(0.5, 16_000), to_samples(1.5 / 16_000, 16_000)
    (8000, 2)
    """
    return math.floor(seconds * rate_hz + 0.5 + SLACK)


def to_seconds(n_samples: int, rate_hz: int) -> float:
    """How long that many samples last."""
    return n_samples / rate_hz


@dataclass(frozen=True)
class FrameGrid:
    """Frames of `hop_s` seconds, one after another from `start_s` on."""

    hop_s: float
    n_frames: int
    start_s: float = 0.0

    @classmethod
    def over(cls, duration_s: float, hop_s: float) -> FrameGrid:
        """As many frames as `duration_s` takes to be covered, the last perhaps in part.

        >>> FrameGrid.over(1.005, 0.01).n_frames
        101
        """
        return cls(hop_s, math.ceil(duration_s / hop_s - SLACK))

    def edge(self, time_s: float) -> int:
        """The frame edge nearest to `time_s`, held to 0..n_frames.

        >>> FrameGrid(0.01, 100).edge(0.145)
        15
        """
        return min(max(to_hops(time_s - self.start_s, self.hop_s), 0), self.n_frames)

    def span(self, start_s: float, end_s: float) -> slice:
        """The frames whose middle lies in `[start_s, end_s)`."""
        return slice(self.edge(start_s), self.edge(end_s))

    def active(self, spans: Iterable[tuple[float, float]]) -> Bool[np.ndarray, " frame"]:
        """Which frames lie in any of the spans (start and end in seconds)."""
        active = np.zeros(self.n_frames, bool)
        for start_s, end_s in spans:
            active[self.span(start_s, end_s)] = True
        return active

    def spans(self, active: Bool[np.ndarray, " frame"]) -> list[tuple[float, float]]:
        """The start and end, in seconds, of each unbroken row of active frames.

        >>> FrameGrid(0.5, 4).spans(np.array([False, True, True, False]))
        [(0.5, 1.5)]
        """
        return [
            (self.start_s + int(first) * self.hop_s, self.start_s + int(last) * self.hop_s)
            for first, last in runs(active)
        ]


def to_hops(seconds: float, hop_s: float) -> int:
    """The whole number of hops nearest to `seconds`."""
    return math.floor(seconds / hop_s + 0.5 + SLACK)


def runs(active: Bool[np.ndarray, " frame"]) -> Int[np.ndarray, "run 2"]:
    """First frame, and the one after the last, of each unbroken row of True.

    >>> runs(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    edges = np.diff(np.concatenate([[False], active, [False]]).astype(np.int8))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)
