"""Which instruments play when, by the true stems: the reference for `diarize score`, as RTTM.

A stem plays in a frame of 50 ms if it is above -60 dB of full scale there and no more than 30 dB
below the loud parts of the song, the level that a tenth of the mixture's frames exceed. Pauses
below 0.5 s are played through, and what is shorter than 0.2 s is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float
from pyannote.core import Annotation, Segment

from diarize.audio.frames import FrameGrid, runs

HOP_S = 0.05
FLOOR_DB = -60.0  # below full scale
BELOW_DB = 30.0  # below the loud parts of the mixture
LOUD = 0.9  # of the mixture's frames are softer than those
LONGEST_GAP_S, SHORTEST_S = 0.5, 0.2
_FAINTEST = 1e-12


def true_activity(
    stems: Mapping[str, Float[np.ndarray, "channel time"]], rate_hz: int
) -> Annotation:
    """The turns of every stem, labelled with its name; none of a song shorter than a frame."""
    hop = round(HOP_S * rate_hz)
    turns = Annotation()
    mixture = np.sum(list(stems.values()), axis=0)
    levels_db = levels(mixture, hop)
    if not len(levels_db):
        return turns
    least_db = max(FLOOR_DB, float(np.quantile(levels_db, LOUD)) - BELOW_DB)
    grid = FrameGrid(hop / rate_hz, len(levels_db))
    for name, samples in stems.items():
        for start_s, end_s in grid.spans(_bridged(levels(samples, hop) > least_db, grid.hop_s)):
            if end_s - start_s >= SHORTEST_S:
                turns[Segment(start_s, end_s), name] = name
    return turns


def levels(samples: Float[np.ndarray, "channel time"], hop: int) -> Float[np.ndarray, " frame"]:
    """The level of each whole frame in dB of full scale, all channels together."""
    n_frames = samples.shape[1] // hop
    framed = samples[:, : n_frames * hop].reshape(len(samples), n_frames, hop)
    return np.asarray(10 * np.log10((framed.astype(np.float64) ** 2).mean(axis=(0, 2)) + _FAINTEST))


def _bridged(active: Bool[np.ndarray, " frame"], hop_s: float) -> Bool[np.ndarray, " frame"]:
    """Pauses played through, but for those at the beginning and the end."""
    filled = active.copy()
    for first, last in runs(~active):
        if first > 0 and last < len(active) and (last - first) * hop_s < LONGEST_GAP_S:
            filled[first:last] = True
    return filled
