"""Writing sound files whole or not at all."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
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
    with whole(path) as unfinished:
        soundfile.write(unfinished, samples, rate_hz, subtype="PCM_16", format="WAV")


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it takes that name at the end, or is removed.

    Raises:
        BadFile: the folder or the disk does not allow it.
    """
    unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield unfinished
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadFile(
            f"{path}: cannot be written ({reason}); name a place that is writable and has room"
        ) from error
