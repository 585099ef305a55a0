"""Separated songs to look at and to listen to: spectrograms and players, beside the true stems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from diarize.errors import BadFile
from diarize.formats.tracks import TrackFiles, find_tracks, read_samples, read_track
from diarize.scoring.grid import Grid
from diarize.scoring.separation_match import best_order
from diarize.viz.image_page import Clip, Picture, Section, image_page
from diarize.viz.spectrogram import stem_spectrograms

EXCERPT_S = 12.0
Sounds = Mapping[str, Float32[np.ndarray, "_channel _time"]]


def stem_page(
    title: str, reference: Path, found: Path, songs: int = 4, grids: Sequence[Grid] = ()
) -> str:
    """Return a page of the middle 12 s of the first `songs` songs, after the tables of `grids`.

    Components without the names of the true stems are shown beside those that they are nearest to,
    by SI-SDR over the whole song, and keep their names in the captions.

    Raises:
        BadFile: no song, one that `found` lacks, or one that is not as its true stems are.
    """
    sections = [Section("Scores", grids=tuple(grids))] if grids else []
    for song in find_tracks(reference)[: max(1, songs)]:
        sections.append(_song(song, found / song.name))
    remark = f"True stems of {reference}, and what {found} has; {EXCERPT_S:g} s of each song."
    return image_page(title, remark, sections)


def _song(song: TrackFiles, place: Path) -> Section:
    if not place.is_dir():
        raise BadFile(f"{place}: no such folder; expected the stems of {song.name}")
    made = read_track(place)
    if (made.rate_hz, made.n_samples) != (song.rate_hz, song.n_samples):
        raise BadFile(
            f"{place}: {made.n_samples} samples at {made.rate_hz} Hz; the true stems have "
            f"{song.n_samples} at {song.rate_hz} Hz"
        )
    names = paired(song, made)
    start = max(0, (song.n_samples - round(EXCERPT_S * song.rate_hz)) // 2)
    size = min(song.n_samples, round(EXCERPT_S * song.rate_hz))
    true = {name: read_samples(path, start, size) for name, path in song.stems.items()}
    shown = {name: read_samples(made.stems[own], start, size) for name, own in names.items()}
    clips = [Clip(np.sum(list(true.values()), axis=0), song.rate_hz, "mixture")]
    for name in true:
        own = "" if names[name] == name else f" ({names[name]})"
        clips.append(Clip(true[name], song.rate_hz, f"{name}, true"))
        clips.append(Clip(shown[name], song.rate_hz, f"{name}, found{own}"))
    figure = stem_spectrograms(_mono(true), _mono(shown), song.rate_hz)
    picture = Picture(figure, "spectrograms of the true stems and of those found")
    remark = f"{size / song.rate_hz:.1f} s from {start / song.rate_hz:.1f} s on"
    return Section(song.name, remark, pictures=(picture,), clips=tuple(clips))


def paired(song: TrackFiles, made: TrackFiles) -> dict[str, str]:
    """For each true stem the name of the stem that is its like: its own, or else the nearest.

    Raises:
        BadFile: fewer stems than true ones, none of them with a true one's name.
    """
    if set(song.stems) <= set(made.stems):
        return {name: name for name in song.stems}
    if len(made.stems) < len(song.stems):
        raise BadFile(f"{made.name}: {len(made.stems)} stems; expected {len(song.stems)} at least")
    true, found = (
        np.stack([read_samples(path).mean(axis=0) for path in one.stems.values()])
        for one in (song, made)
    )
    own = tuple(made.stems)
    order = best_order(true, found)
    return {name: own[place] for name, place in zip(song.stems, order, strict=True)}


def _mono(sounds: Sounds) -> dict[str, Float32[np.ndarray, " _time"]]:
    return {name: samples.mean(axis=0) for name, samples in sounds.items()}
