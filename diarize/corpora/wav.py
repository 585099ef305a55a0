"""Writing a wav file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float

from diarize.errors import BadFile


def save_wav(path: Path, samples: Float[np.ndarray, " time"], rate_hz: int) -> None:
    """Write one channel as 16-bit PCM; what passes full scale is held there.

    Raises:
        BadFile: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(unfinished, samples, rate_hz, subtype="PCM_16", format="WAV")
        unfinished.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        unfinished.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error)
        raise BadFile(f"{path}: cannot be written ({reason}); choose a writable place") from error
