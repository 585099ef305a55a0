"""Instruments sampled note by note: files named by their pitch, as `As1.wav` or `D#2v10.mp3`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float

from diarize.corpora.single_sounds import faded, read_sound
from diarize.corpora.soundfont_file import Envelope, Sample, Zone
from diarize.errors import BadFile

LONGEST_S = 7.0
FADE_S = 0.25
BEGINS = 0.02  # of its peak: where a note has begun
BEFORE_S = 0.005  # kept before that
PEAK = 0.9  # of the loudest note
MOST_CENTS = 40  # what is further off is taken for a wrong measurement
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NOTE = re.compile(r"([A-G])(s|#?)(-?\d)")
_HEARD_FROM_S, _HEARD, _FFT = 0.1, 2**16, 2**18


def key_of(path: Path) -> int:
    """The key of MIDI that a file's name begins with; C4 is 60.

    Raises:
        BadFile: it begins with none.

    >>> [key_of(Path(name)) for name in ("As1.wav", "D#2v10.mp3", "C4.wav")]
    [34, 39, 60]
    """
    found = _NOTE.match(path.name)
    if not found:
        raise BadFile(f"{path}: no note in its name; expected A4.wav, say, or Cs2.wav")
    letter, sharp, octave = found.groups()
    return _SEMITONES[letter] + bool(sharp) + 12 * (int(octave) + 1)


def sampled_zones(
    paths: Sequence[Path], release_s: float, is_tuned: bool = False
) -> tuple[Zone, ...]:
    """A zone for each of the files; it plays the keys that are nearer to it than to its neighbours.

    With `is_tuned`, each note is put right by as much as it is heard to be off.

    Raises:
        BadFile: no files, or one that cannot be read or named after no note.
    """
    notes = sorted((key_of(path), path) for path in paths)
    if not notes:
        raise BadFile("no files of notes")
    sounds = [_read_note(path) for _, path in notes]
    loudest = max(float(np.abs(samples).max()) for samples, _ in sounds)
    borders = [(lower + upper) // 2 for (lower, _), (upper, _) in pairwise(notes)]
    firsts, lasts = [0, *(border + 1 for border in borders)], [*borders, 127]
    zones = []
    for (key, path), (samples, rate_hz), *ends in zip(notes, sounds, firsts, lasts, strict=True):
        off = cents_off(samples, rate_hz, key) if is_tuned else 0
        zones.append(
            Zone(
                Sample.of(samples / loudest * PEAK, rate_hz, path.name[:10]),
                root=key,
                keys=(ends[0], ends[1]),
                cents=-off if abs(off) <= MOST_CENTS else 0,
                envelope=Envelope(release_s=release_s),
            )
        )
    return tuple(zones)


def cents_off(samples: Float[np.ndarray, " time"], rate_hz: int, key: int) -> int:
    """By how many cents a note is higher than its key, to the nearest 4, at most 80.

    That at which the spectrum at the first eight harmonics adds up to most. An octave below and
    above are tried too, and cents counted from there: harmonics may outweigh a bass's fundamental.
    """
    start = int(_HEARD_FROM_S * rate_hz)
    heard = samples[start : start + _HEARD]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), _FFT))
    found = []
    for octave in (-12, 0, 12):
        for cents in range(-80, 81, 4):
            hz = 440 * 2 ** ((key + octave + cents / 100 - 69) / 12)
            harmonics = [number for number in range(1, 9) if hz * number < rate_hz / 2]
            bins = [round(hz * number * _FFT / rate_hz) for number in harmonics]
            total = sum(
                spectrum[place] / number**0.3 for place, number in zip(bins, harmonics, strict=True)
            )
            found.append((total, octave, cents))
    return max(found)[2]


def _read_note(path: Path) -> tuple[Float[np.ndarray, " time"], int]:
    """A note from just before it begins, at most 7 s, its end faded; and its rate in Hz."""
    samples, rate_hz = read_sound(path)
    begins = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * BEGINS)[0]
    samples = samples[max(0, begins - int(rate_hz * BEFORE_S)) :][: int(LONGEST_S * rate_hz)]
    return faded(samples, int(rate_hz * FADE_S)), rate_hz
