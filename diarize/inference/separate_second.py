"""A second separator heard beside the first: the mean of what both say, where the first hears any.

Two networks err in different ways, one of spectra and one of samples above all: what they have in
common is more likely to be right.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall
from diarize.inference.separate_stream import Sound, Stems
from diarize.models.contract import FAINT_DB
from diarize.models.contract import Separator as SeparatorModel

NONE = "none"  # in place of a name: no second separator
AROUND_S = 2.0
FRAMES_PER_S = 20
_TINY = 1e-12


def check_second(first: SeparatorModel, second: SeparatorModel, name: str) -> None:
    """See that both separators hear the same: their stems, in any order, and their rate.

    Raises:
        BadCall: they do not.
    """
    if set(first.sources) != set(second.sources):
        raise BadCall(
            f"second = {name!r} has the stems {', '.join(second.sources)}; "
            f"expected {', '.join(first.sources)}"
        )
    if first.rate_hz != second.rate_hz:
        raise BadCall(f"second = {name!r} hears {second.rate_hz} Hz; expected {first.rate_hz}")


def joined(mixture: Sound, first: Stems, second: Stems, share: float, rate_hz: int) -> Stems:
    """`share` of what the second separator hears, and the rest of the first.

    Of a stem that the first hears to be faint, its answer alone: who hears more or less of every
    instrument in every other would be heard where it does not play.
    """
    plays = np.float32(share) * (1 - faintness(mixture, first, rate_hz))
    return first + plays * (second - first)


def faintness(
    mixture: Sound, stems: Stems, rate_hz: int
) -> Float[np.ndarray, "source channel time"]:
    """1 where a stem is much fainter than `FAINT_DB` of the mixture around, 0 where much louder."""
    n_samples = mixture.shape[1]
    frame = max(1, round(rate_hz / FRAMES_PER_S))
    level_db = 10 * np.log10(_around(stems, frame) / _around(mixture, frame) + _TINY)
    faint = 1 / (1 + np.exp((level_db - FAINT_DB) / 2))
    places = (np.arange(faint.shape[-1]) + 0.5) * frame
    whole = np.empty((*stems.shape[:2], n_samples), np.float32)
    for row in np.ndindex(stems.shape[:2]):
        whole[row] = np.interp(np.arange(n_samples), places, faint[row])
    return whole


def _around(sound: Float[np.ndarray, "*row time"], frame: int) -> Float[np.ndarray, "*row _frame"]:
    """The energy around each frame."""
    short = -sound.shape[-1] % frame
    padded = np.pad(np.square(sound, dtype=np.float64), [(0, 0)] * (sound.ndim - 1) + [(0, short)])
    frames = padded.reshape(*sound.shape[:-1], -1, frame).sum(-1)
    half = round(AROUND_S * FRAMES_PER_S / 2)
    sums = np.cumsum(np.pad(frames, [(0, 0)] * (frames.ndim - 1) + [(half + 1, half)]), -1)
    return sums[..., 2 * half + 1 :] - sums[..., : -2 * half - 1] + _TINY
