"""Writing sound files whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float

from diarize.formats.whole import whole


def save_wav(path: Path, samples: Float[np.ndarray, " time"], rate_hz: int) -> None:
    """Write one channel as 16-bit PCM; what passes full scale is held there.

    Raises:
        BadFile: the file cannot be written.
    """
    with whole(path) as unfinished:
        try:
            soundfile.write(unfinished, samples, rate_hz, subtype="PCM_16", format="WAV")
        except soundfile.LibsndfileError as error:
            raise OSError(error.error_string) from None
