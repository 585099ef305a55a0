"""How far the sounds of one folder of songs are from those of another: Fréchet distances.

The embedding is the hidden layer of the instrument classifier on windows of 3 s that sound. It is
no VGGish and no CLAP: distances can be held to others of the same weights only, whose checksum is
told with them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from diarize.errors import BadFile
from diarize.formats.tracks import TrackFiles, find_tracks, read_samples
from diarize.inference.component_names import DEFAULT_MODEL, load_classifier, sounding_windows
from diarize.models.baselines.instrument_classifier import InstrumentClassifier
from diarize.scoring.frechet import frechet_distance
from diarize.weights import named_weights

ALL = "all stems"
LEAST_RMS = 1e-4  # of a stem over a whole song; softer is silence
Embedded = Float[np.ndarray, "_window _hidden"]


@dataclass(frozen=True)
class SoundDistance:
    """Of one stem, or of all together, over all songs.

    Attributes:
        distance: the squared Fréchet distance of found to true sounds; NaN with fewer than two
            windows in either.
        halves: the same between two halves of the true sounds, every other song: what chance makes
            of so many.
        n_true, n_found: windows that sound.
    """

    stem: str
    distance: float
    halves: float
    n_true: int
    n_found: int


@dataclass(frozen=True)
class SoundDistances:
    """All of them, and what embedding they are by."""

    rows: tuple[SoundDistance, ...]
    n_dimensions: int
    checksum: str

    @property
    def embedding(self) -> str:
        """What whoever tells of a distance has to name."""
        return (
            f"instrument_classifier, hidden layer of {self.n_dimensions}, weights sha256 "
            f"{self.checksum[:12]}"
        )


def sound_distances(
    reference: Path, found: Path, weights: Path | str = DEFAULT_MODEL
) -> SoundDistances:
    """The distance of the stems in `found` to those in `reference`: folders of songs in stems.

    Songs need not be the same, nor their number. Stems are held to those of their own name, where
    both folders have such; all stems together are held to all.

    Raises:
        BadFile: a folder without songs, or without a window that sounds.
        MissingWeights: the classifier's weights are nowhere.
    """
    judge = load_classifier(weights)
    songs = [find_tracks(folder) for folder in (reference, found)]
    true, made = ([_embedded(song, judge) for song in own] for own in songs)
    names = sorted({name for one in true for name in one} & {name for one in made for name in one})
    rows = [_row(name, true, made, (name,)) for name in names]
    rows.append(_row(ALL, true, made, None))
    for folder, n_windows in ((reference, rows[-1].n_true), (found, rows[-1].n_found)):
        if not n_windows:
            raise BadFile(f"{folder}: no stem that sounds; expected some to tell a distance of")
    checksum = hashlib.sha256(named_weights(weights).read_bytes()).hexdigest()
    return SoundDistances(tuple(rows), judge.settings.n_hidden, checksum)


def _embedded(song: TrackFiles, judge: InstrumentClassifier) -> Mapping[str, Embedded]:
    """The embedding of each window of each stem that sounds."""
    result = {}
    for name, path in song.stems.items():
        samples = read_samples(path)
        windows = np.zeros((0, 1), np.float32)
        if np.sqrt(np.mean(np.square(samples, dtype=np.float64))) >= LEAST_RMS:
            windows = sounding_windows(samples, song.rate_hz, judge)
        result[name] = judge.embed(torch.from_numpy(windows)).double().numpy()
    return result


def _row(
    stem: str,
    true: Sequence[Mapping[str, Embedded]],
    made: Sequence[Mapping[str, Embedded]],
    names: tuple[str, ...] | None,
) -> SoundDistance:
    one, other = _pooled(true, names), _pooled(made, names)
    halves = _pooled(true[::2], names), _pooled(true[1::2], names)
    return SoundDistance(stem, _distance(one, other), _distance(*halves), len(one), len(other))


def _pooled(songs: Sequence[Mapping[str, Embedded]], names: tuple[str, ...] | None) -> Embedded:
    wanted = [
        embedded
        for song in songs
        for name, embedded in song.items()
        if (names is None or name in names) and len(embedded)
    ]
    return np.concatenate(wanted) if wanted else np.zeros((0, 1))


def _distance(one: Embedded, other: Embedded) -> float:
    return math.nan if min(len(one), len(other)) < 2 else frechet_distance(one, other)
