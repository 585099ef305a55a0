"""How often components get the right name, and whether a name's probability can be believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from diarize.formats.tracks import TrackFiles, Tracks, find_tracks, read_samples, read_track
from diarize.inference.component_names import (
    DEFAULT_MODEL,
    LEAST_PROBABILITY,
    Name,
    load_classifier,
    name_components,
    sounding_windows,
)
from diarize.models.baselines.instrument_classifier import InstrumentClassifier
from diarize.scoring.calibration import Calibration, of_decisions
from diarize.scoring.separation_match import best_order

PLAYING_RMS = 1e-3  # of a true stem over its song; softer ones are not asked about


@dataclass(frozen=True)
class Decision:
    """A component of a song: what it truly is, its name, and its windows one by one.

    Attributes:
        windows: of each window, the probability of its likeliest class and whether that is right.
    """

    song: str
    truth: str
    name: Name
    windows: tuple[tuple[float, bool], ...]


@dataclass(frozen=True)
class NameScores:
    """Of all components whose true stem plays.

    Attributes:
        n_named: how many are called by an instrument, for that was probable enough.
        n_named_right: how many of those are that instrument.
        windows, songs: accuracy of the likeliest class is in `share_right`; its calibration here.
    """

    decisions: tuple[Decision, ...]
    n_named: int
    n_named_right: int
    windows: Calibration
    songs: Calibration

    @staticmethod
    def share_right(table: Calibration) -> float:
        """How often the likeliest class was right, 0 to 1."""
        return sum(one.n_true for one in table.bins) / max(1, table.n_frames)


def name_scores(
    reference: Path,
    found: Path,
    weights: Path | str = DEFAULT_MODEL,
    least_probability: float = LEAST_PROBABILITY,
) -> NameScores:
    """Name every stem of `found`, and hold the names to those of the true stems in `reference`.

    Stems without the true names are put into their best order first, as for SI-SDR. With the same
    folder twice, true stems are named.

    Raises:
        BadFile: a song that `found` lacks, or weights that cannot be used.
    """
    judge = load_classifier(weights)
    decisions = [
        decision
        for song in find_tracks(reference)
        for decision in _decided(song, found / song.name, judge, least_probability)
    ]
    named = [one for one in decisions if one.name.label == one.name.best]
    flat = [window for one in decisions for window in one.windows]
    whole = [(_top(one.name), _is_right(one)) for one in decisions if one.name.n_windows]
    return NameScores(
        tuple(decisions),
        len(named),
        sum(one.name.best == one.truth for one in named),
        of_decisions(*_columns(flat)),
        of_decisions(*_columns(whole)),
    )


def _decided(
    song: TrackFiles, place: Path, judge: InstrumentClassifier, least: float
) -> Iterator[Decision]:
    made = read_track(place)
    truth = {name: read_samples(path) for name, path in song.stems.items()}
    components = {name: read_samples(path) for name, path in made.stems.items()}
    if not set(truth) <= set(components):
        order = best_order(np.stack(list(truth.values())), np.stack(list(components.values())))
        rows = list(components.values())
        components = {name: rows[place] for name, place in zip(truth, order, strict=True)}
    tracks = Tracks({f"?{name}": components[name] for name in truth}, made.rate_hz)
    for name, told in zip(truth, name_components(tracks, judge, least), strict=True):
        level = np.sqrt(np.mean(np.square(truth[name], dtype=np.float64)))
        if level < PLAYING_RMS or name not in judge.classes:
            continue
        windows = sounding_windows(components[name], made.rate_hz, judge)
        tops = judge.classify(torch.from_numpy(windows)).max(1)
        right = (tops.indices == judge.classes.index(name)).tolist()
        yield Decision(song.name, name, told, tuple(zip(tops.values.tolist(), right, strict=True)))


def _top(name: Name) -> float:
    return max(name.probabilities.values())


def _is_right(decision: Decision) -> bool:
    return decision.name.best == decision.truth


def _columns(pairs: Sequence[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([one for one, _ in pairs]), np.array([one for _, one in pairs], dtype=bool)
