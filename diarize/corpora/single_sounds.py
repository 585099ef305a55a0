"""Files of one sound each, a stroke or a note, read to be a soundfont's samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from diarize.errors import BadFile


def read_sound(path: Path) -> tuple[Float[np.ndarray, " time"], int]:
    """The mean of a file's channels, full scale 1, and its rate in Hz.

    All is decoded by libsndfile, mp3 too, so that a note begins where it does in the soundfonts
    that the weights which ship were trained on.

    Raises:
        BadFile: it cannot be read, or holds no sound.
    """
    import soundfile

    try:
        samples, rate_hz = soundfile.read(path, always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadFile(f"{path}: cannot be read ({error})") from None
    if not np.any(samples):
        raise BadFile(f"{path}: silence; expected the sound of a stroke or a note")
    return samples.mean(axis=1), rate_hz


def faded(samples: Float[np.ndarray, " time"], n_samples: int) -> Float[np.ndarray, " time"]:
    """A copy whose last `n_samples` fall to nothing, or all of it where it is shorter.

    >>> faded(np.ones(4), 3)
    array([1. , 1. , 0.5, 0. ])
    """
    n_samples = min(len(samples), n_samples)
    made = samples.copy()
    made[len(made) - n_samples :] *= np.linspace(1, 0, n_samples)
    return made
