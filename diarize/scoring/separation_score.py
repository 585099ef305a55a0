"""Folders of separated songs held to the true stems."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from diarize.errors import BadFile
from diarize.formats.tracks import TrackFiles, find_tracks, read_samples, read_track
from diarize.scoring.bss_eval import bss_eval, median_of_songs
from diarize.scoring.ideal_mask import ideal_ratio_masked
from diarize.scoring.separation_result import ALL, SeparationScore, SystemScore, source_score
from diarize.scoring.separation_windows import SongWindows, score_windows

FLOOR, CEILING = "mixture", "ideal ratio mask"

Estimate = Callable[[TrackFiles], Float32[np.ndarray, "source channel time"]]


def score_separation(
    reference: Path,
    estimates: Mapping[str, Path],
    sources: Sequence[str] = (),
    seed: int = 0,
    with_bss_eval: bool = False,
    notify: Callable[[str], None] = lambda told: None,
) -> SeparationScore:
    """Score the systems of `estimates`, folders by name, on the songs of `reference`.

    `sources` (empty: all stems of the first song) are those that count; `notify` is told which song
    is being scored; `with_bss_eval` adds BSS-eval's SDR, which takes its time. The mixture as every
    source's estimate (the floor) and the ideal ratio mask (the ceiling) are scored too.

    Raises:
        BadFile: a song or stem that is lacking, or not as long or at the rate as the true one.
        BadCall: BSS-eval is wanted and not there.
    """
    songs = find_tracks(reference, sources)
    names = tuple(sources) or tuple(songs[0].stems)
    for song in songs:
        if tuple(song.stems) != names:
            told = ", ".join(song.stems)
            raise BadFile(f"{reference / song.name}: stems {told}; expected {', '.join(names)}")
    ways: dict[str, Estimate] = {
        name: _from_folder(folder, songs, names) for name, folder in estimates.items()
    }
    ways |= {FLOOR: _mixtures(names), CEILING: _masked(names)}
    notes = [note for folder in estimates.values() for note in _unasked(folder, songs)]
    heard: dict[str, dict[str, SongWindows]] = {name: {} for name in ways}
    medians: dict[str, list[Mapping[str, float]]] = {name: [] for name in ways}
    digest = hashlib.sha256()
    for song in songs:
        notify(song.name)
        truth = _stems(song, names)
        digest.update(json.dumps([song.name, song.rate_hz, names, truth.shape]).encode())
        digest.update(truth.tobytes())
        for name, way in ways.items():
            found = way(song)
            heard[name][song.name] = score_windows(names, truth, found, song.rate_hz)
            if with_bss_eval:
                medians[name].append(bss_eval(names, truth, found, song.rate_hz))
    systems = tuple(_system(name, own, names, seed, medians[name]) for name, own in heard.items())
    duration_s = sum(song.n_samples / song.rate_hz for song in songs)
    return SeparationScore(
        systems, names, str(reference), digest.hexdigest(), duration_s, tuple(notes)
    )


def _stems(song: TrackFiles, names: Sequence[str]) -> Float32[np.ndarray, "source channel time"]:
    return np.stack([read_samples(song.stems[name]) for name in names])


def _from_folder(folder: Path, songs: Sequence[TrackFiles], names: Sequence[str]) -> Estimate:
    """What a system left in `folder`, checked before anything is scored."""
    found: dict[str, TrackFiles] = {}
    alone = len(songs) == 1 and not (folder / songs[0].name).is_dir()
    for song in songs:
        place = folder if alone else folder / song.name
        if not place.is_dir():
            raise BadFile(f"{place}: no such folder; expected a folder for each song of REF")
        own = read_track(place, names)
        for what, ours, theirs in (
            ("rate_hz", song.rate_hz, own.rate_hz),
            ("number of samples", song.n_samples, own.n_samples),
            ("number of channels", song.n_channels, own.n_channels),
        ):
            if ours != theirs:
                raise BadFile(f"{place}: {what} {theirs}; the reference has {ours}")
        found[song.name] = own
    return lambda song: _stems(found[song.name], names)


def _mixtures(names: Sequence[str]) -> Estimate:
    def mixture(song: TrackFiles) -> Float32[np.ndarray, "source channel time"]:
        truth = _stems(song, names)
        return np.broadcast_to(truth.sum(axis=0), truth.shape).astype(np.float32)

    return mixture


def _masked(names: Sequence[str]) -> Estimate:
    return lambda song: ideal_ratio_masked(_stems(song, names))


def _unasked(folder: Path, songs: Sequence[TrackFiles]) -> Iterator[str]:
    known = {song.name for song in songs}
    extra = [one.name for one in sorted(folder.iterdir()) if one.is_dir()]
    extra = [name for name in extra if name not in known and not name.startswith(".")]
    if extra:
        shown = ", ".join(extra[:3]) + (" ..." if len(extra) > 3 else "")
        yield f"{folder}: {len(extra)} songs that the reference lacks: {shown}"


def _system(
    name: str,
    songs: Mapping[str, SongWindows],
    names: Sequence[str],
    seed: int,
    medians: Sequence[Mapping[str, float]],
) -> SystemScore:
    sources = {
        source: source_score([(song, (source,)) for song in songs.values()], seed)
        for source in names
    }
    sources[ALL] = source_score([(song, tuple(names)) for song in songs.values()], seed)
    return SystemScore(name, songs, sources, median_of_songs(medians) if medians else None)
