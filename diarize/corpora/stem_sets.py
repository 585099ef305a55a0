"""What separators are tested on: mixtures of prepared stems, and which source plays when.

    DATA/mixtures/test/Track00001.wav    DATA/activity/test/Track00001.rttm

Of some of the sources, such as drums and bass, all that a test needs is in a folder of its own, the
true stems too (the prepared ones, linked where that is possible, or excerpts of them):

    DATA/drums_bass/{stems,mixtures,activity}/test/...

Songs in which those sources never sound together for a window of 7 s are in no such set.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from diarize.audio.activity import activity_of
from diarize.corpora.stem_settings import StemSettings
from diarize.errors import BadFile
from diarize.formats.rttm import save_rttm
from diarize.formats.tracks import read_samples, save_samples

FOLDER, MIXTURES, ACTIVITY = "stems", "mixtures", "activity"
FULL_SCALE = 1 - 2**-15
Stems = Mapping[str, Float32[np.ndarray, "_channel _time"]]
WINDOW_S = 7.0  # in which sources have to sound together, whatever windows are trained on
SILENT = 1e-4  # the highest sample of what counts as silence in a window


def save_test_song(folder: Path, part: str, song: str, settings: StemSettings) -> None:
    """Write the mixture of a prepared song, and which source plays when, unless they are there.

    Raises:
        BadFile: they cannot be written.
    """
    place = folder / settings.choice
    mixture = place / MIXTURES / part / f"{song}.wav"
    activity = place / ACTIVITY / part / f"{song}.rttm"
    own = place / FOLDER / part / song
    if mixture.is_file() and activity.is_file() and own.is_dir():
        return
    prepared = folder / FOLDER / part / song
    stems: Stems = {name: read_samples(prepared / f"{name}.wav") for name in settings.sources}
    if settings.choice:
        together = _sound_together(stems, settings)
        if not any(together):
            return
        if settings.excerpt_s:
            stems = _excerpt(stems, together, settings)
            for name, samples in stems.items():
                save_exactly(own / f"{name}.wav", samples, settings.rate_hz)
        else:
            _link(prepared, own, settings.sources)
    save_exactly(mixture, np.stack(list(stems.values())).sum(axis=0), settings.rate_hz)
    save_rttm(activity, {song: activity_of(stems, settings.rate_hz)})


def save_exactly(path: Path, samples: Float32[np.ndarray, "channel time"], rate_hz: int) -> None:
    """Write sound in 16 bits, or in 32 if it passes full scale."""
    passes = np.abs(samples).max(initial=0) > FULL_SCALE
    save_samples(path, samples, rate_hz, "float32" if passes else "int16")


def sounds(stem: Float32[np.ndarray, "*channel time"], sounding_rms: float) -> bool:
    """Whether a window of a stem counts as sounding, by its root mean square or, with 0, at all.

    >>> sounds(np.full(8, 0.005, np.float32), 0.0), sounds(np.full(8, 0.005, np.float32), 0.01)
    (True, False)
    """
    if not sounding_rms:
        return bool(np.abs(stem).max(initial=0) > SILENT)
    return bool(np.sqrt(np.mean(np.square(stem, dtype=np.float64))) >= sounding_rms)


def _sound_together(stems: Stems, settings: StemSettings) -> list[bool]:
    """In which windows, one after the other, every source sounds."""
    n_samples = next(iter(stems.values())).shape[1]
    size = min(round(WINDOW_S * settings.rate_hz), n_samples)
    return [
        all(sounds(one[:, at : at + size], settings.sounding_rms) for one in stems.values())
        for at in range(0, n_samples - size + 1, size)
    ]


def _excerpt(stems: Stems, together: list[bool], settings: StemSettings) -> Stems:
    """As many whole windows as fit the excerpt: the first in a row with most that count."""
    n_windows = min(len(together), int(settings.excerpt_s / WINDOW_S + 1e-6))
    counts = np.convolve(together, np.ones(n_windows, int), "valid")
    size = round(WINDOW_S * settings.rate_hz)
    start = int(counts.argmax()) * size
    return {name: one[:, start : start + n_windows * size] for name, one in stems.items()}


def _link(prepared: Path, own: Path, sources: tuple[str, ...]) -> None:
    """The stems of a song in another folder as well, which appears when all are there."""
    unfinished = own.with_name(f".{own.name}.{uuid.uuid4().hex}")
    try:
        unfinished.mkdir(parents=True)
        for name in sources:
            _linked(prepared / f"{name}.wav", unfinished / f"{name}.wav")
        shutil.rmtree(own, ignore_errors=True)
        unfinished.replace(own)
    except OSError as error:
        raise BadFile(f"{own}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _linked(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, other)
