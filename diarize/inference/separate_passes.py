"""A song heard several times, each time some semitones lower or higher: the mean of the answers.

What a separator gets wrong differs from one pitch to another more than what it gets right does.
"""

from __future__ import annotations

import numpy as np

from diarize.audio.resample import at_speed
from diarize.errors import BadCall
from diarize.inference.separate_stream import Separate, Sound, Stems

SEMITONES = (0, -1, 1, -2, 2)  # in the order in which further passes take them


def check_passes(passes: int) -> None:
    """See that a song can be heard so often.

    Raises:
        BadCall: it cannot.
    """
    if not 1 <= passes <= len(SEMITONES):
        raise BadCall(f"passes is {passes}; it must be from 1 to {len(SEMITONES)}")


def in_passes(window: Sound, separate: Separate, passes: int) -> Stems:
    """What `separate` makes of a window as it is and in other keys, back in its own; the mean.

    In another key a window is longer or shorter too, as a tape at another speed is.
    """
    n_samples = window.shape[1]
    total = separate(window)
    for semitones in SEMITONES[1:passes]:
        speed = 2 ** (semitones / 12)
        stems = separate(_at(window, speed))
        flat = _at(stems.reshape(-1, stems.shape[2]), 1 / speed)[:, :n_samples]
        short = n_samples - flat.shape[1]
        total = total + np.pad(flat, ((0, 0), (0, short))).reshape(total.shape)
    return total / np.float32(passes)


def _at(sound: Sound, speed: float) -> Sound:
    return np.stack([at_speed(row, speed) for row in sound])
