"""Which instruments play when, by the levels of their stems: true ones, or as separated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pyannote.core import Annotation, Segment

from diarize.audio.frames import FrameGrid, runs

HOP_S = 0.05
_FAINTEST = 1e-12


@dataclass(frozen=True)
class ActivitySettings:
    """When a stem counts as playing.

    Attributes:
        below_mixture_db: how far it may be below the loud parts of the song: the level that a
            tenth of all frames of the mixture exceed.
        floor_db: below full scale; what is softer does not play.
        longest_gap_s: a shorter pause is played through.
        shortest_s: what is played for less is left out.
    """

    below_mixture_db: float = 30.0
    floor_db: float = -60.0
    longest_gap_s: float = 0.5
    shortest_s: float = 0.2


class Levels:
    """The energy of each stem, and of all together, in frames of 50 ms; fed piece by piece."""

    def __init__(self, n_sources: int, rate_hz: int) -> None:
        self.hop = max(1, round(HOP_S * rate_hz))
        self.hop_s = self.hop / rate_hz
        self._frames: list[Float[np.ndarray, "_row _frame"]] = []
        self._rest = np.zeros((n_sources + 1, 0))

    def add(self, stems: Float[np.ndarray, "_source _channel _time"]) -> None:
        """Take in what follows."""
        rows = np.concatenate([stems, stems.sum(0, keepdims=True)])
        power = np.concatenate([self._rest, (rows.astype(np.float64) ** 2).mean(1)], axis=1)
        n_frames = power.shape[1] // self.hop
        whole = power[:, : n_frames * self.hop].reshape(len(power), n_frames, self.hop)
        self._frames.append(whole.mean(2))
        self._rest = power[:, n_frames * self.hop :]

    def frames_db(self) -> Float[np.ndarray, "row frame"]:
        """Each stem's level, then that of all together, below full scale."""
        found = list(self._frames)
        if self._rest.shape[1]:
            found.append(self._rest.mean(1, keepdims=True))
        if not found:
            found = [np.zeros((len(self._rest), 0))]
        return 10 * np.log10(np.concatenate(found, axis=1) + _FAINTEST)


def playing(
    levels: Levels, names: tuple[str, ...], settings: ActivitySettings | None = None
) -> Annotation:
    """When each instrument plays, with its name as the label."""
    settings = settings or ActivitySettings()
    frames_db = levels.frames_db()
    turns = Annotation()
    if not frames_db.shape[1]:
        return turns
    loud_db = float(np.quantile(frames_db[-1], 0.9))
    least_db = max(settings.floor_db, loud_db - settings.below_mixture_db)
    grid = FrameGrid(levels.hop_s, frames_db.shape[1])
    for name, level_db in zip(names, frames_db, strict=False):
        active = level_db > least_db
        for first, last in runs(~active):
            if (
                first > 0
                and last < len(active)
                and (last - first) * grid.hop_s < settings.longest_gap_s
            ):
                active[first:last] = True
        for start_s, end_s in grid.spans(active):
            if end_s - start_s >= settings.shortest_s:
                turns[Segment(start_s, end_s), name] = name
    return turns


def activity_of(stems: Mapping[str, Float[np.ndarray, "channel time"]], rate_hz: int) -> Annotation:
    """When each of these stems plays, by the usual settings; labelled with its name."""
    levels = Levels(len(stems), rate_hz)
    levels.add(np.stack(list(stems.values())))
    return playing(levels, tuple(stems))
