"""Folders of separated songs held to the true stems."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import TrackFiles, find_tracks, read_samples, read_track
from diarize.scoring.bss_eval import bss_eval, median_of_songs
from diarize.scoring.ideal_mask import ideal_ratio_masked
from diarize.scoring.separation_match import best_order
from diarize.scoring.separation_result import (
    ALL,
    Reference,
    SeparationScore,
    SystemScore,
    source_score,
)
from diarize.scoring.separation_windows import MSDM, Rule, SongWindows, score_windows

FLOOR, CEILING = "mixture", "ideal ratio mask"
TRUE = "true stems"

Stems = Float32[np.ndarray, "_source _channel _time"]
Sound = Float32[np.ndarray, "_channel _time"]
Decode = Callable[[Sound, int], Sound]


@dataclass(frozen=True)
class Terms:
    """What systems are held to, and how.

    Attributes:
        rule: which windows count.
        permute: whether a system whose stems do not have the names of the true ones is scored, by
            the best order of its components over each song.
        codec: the name of a codec, and `decode`, sound at a rate as that codec gives it back.
        against: "raw": the true stems, with the codec's round trip of them as a ceiling of whatever
            is made by it; "codec": that round trip, with the true stems as a row.
    """

    rule: Rule = MSDM
    permute: bool = False
    codec: str | None = None
    decode: Decode | None = None
    against: Reference = "raw"

    def __post_init__(self) -> None:
        if (self.codec is None) != (self.decode is None):
            raise BadCall("a codec's name and what it makes of sound; both or none would be right")
        if self.against == "codec" and self.decode is None:
            raise BadCall("against = 'codec' without a codec; name one")

    @property
    def own_row(self) -> str:
        """What the codec's own row is called: that of the true stems, or of its round trip."""
        return TRUE if self.against == "codec" else f"codec {self.codec}"

    def decoded(self, stems: Stems, rate_hz: int) -> Stems | None:
        """The stems as the codec gives them back."""
        return None if self.decode is None else np.stack([self.decode(s, rate_hz) for s in stems])


def score_separation(
    reference: Path,
    estimates: Mapping[str, Path],
    sources: Sequence[str] = (),
    seed: int = 0,
    with_bss_eval: bool = False,
    notify: Callable[[str], None] = lambda told: None,
    terms: Terms | None = None,
) -> SeparationScore:
    """Score the systems of `estimates`, folders by name, on the songs of `reference`.

    `sources` (empty: all stems of the first song) are those that count; `notify` is told which song
    is being scored; `with_bss_eval` adds BSS-eval's SDR, which takes its time. The mixture as every
    source's estimate (the floor) and the ideal ratio mask (the ceiling) are scored too. `terms`
    say what systems are held to; by default the true stems, by MSDM's windows.

    Raises:
        BadFile: a song or stem that is lacking, or not as long or at the rate as the true one.
        BadCall: BSS-eval is wanted and not there.
    """
    terms = terms or Terms()
    songs = find_tracks(reference, sources)
    names = tuple(sources) or tuple(songs[0].stems)
    _check_stems(reference, songs, names)
    folders = {
        name: _Folder(folder, songs, names, terms.permute) for name, folder in estimates.items()
    }
    rows = [*folders, FLOOR, CEILING, *([terms.own_row] if terms.codec else [])]
    heard: dict[str, dict[str, SongWindows]] = {name: {} for name in rows}
    medians: dict[str, list[Mapping[str, float]]] = {name: [] for name in rows}
    digest = hashlib.sha256()
    for song in songs:
        notify(song.name)
        held = _Held(_stems(song, names), song.rate_hz, terms)
        digest.update(json.dumps([song.name, song.rate_hz, names, held.truth.shape]).encode())
        digest.update(held.truth.tobytes())
        for name in rows:
            found = held.found(folders[name], song) if name in folders else held.row(name)
            heard[name][song.name] = held.windows(names, found)
            if with_bss_eval:
                medians[name].append(bss_eval(names, held.to, found, song.rate_hz))
    return SeparationScore(
        tuple(_system(name, own, names, seed, medians[name]) for name, own in heard.items()),
        names,
        str(reference),
        digest.hexdigest(),
        sum(song.n_samples / song.rate_hz for song in songs),
        tuple(note for folder in estimates.values() for note in _unasked(folder, songs)),
        terms.rule,
        terms.codec,
        terms.against,
        tuple(name for name, folder in folders.items() if folder.is_permuted),
    )


def _check_stems(reference: Path, songs: Sequence[TrackFiles], names: Sequence[str]) -> None:
    for song in songs:
        if tuple(song.stems) != tuple(names):
            told = ", ".join(song.stems)
            raise BadFile(f"{reference / song.name}: stems {told}; expected {', '.join(names)}")


class _Held:
    """A song's true stems, and what systems are held to: those, or a codec's round trip of them."""

    def __init__(self, truth: Stems, rate_hz: int, terms: Terms) -> None:
        self.truth, self._rate_hz, self._terms = truth, rate_hz, terms
        self._decoded = decoded = terms.decoded(truth, rate_hz)
        self.to = truth if terms.against == "raw" or decoded is None else decoded

    def found(self, folder: _Folder, song: TrackFiles) -> Stems:
        """What a system left of the song, in the best order where its stems have no names."""
        found = folder.stems(song)
        return found[list(best_order(self.to, found))] if folder.is_permuted else found

    def row(self, name: str) -> Stems:
        """What stands in a row that is no system's."""
        if name == FLOOR:
            mixture = self.truth.sum(axis=0)
            return np.broadcast_to(mixture, self.truth.shape).astype(np.float32)
        if name == CEILING:
            return ideal_ratio_masked(self.to)
        return self.truth if self._decoded is None or self.to is self._decoded else self._decoded

    def windows(self, names: Sequence[str], found: Stems) -> SongWindows:
        """How far what was found is from what it is held to, window by window."""
        return score_windows(
            tuple(names), self.to, found, self._rate_hz, self._terms.rule, self.truth
        )


def _stems(song: TrackFiles, names: Sequence[str]) -> Float32[np.ndarray, "source channel time"]:
    return np.stack([read_samples(song.stems[name]) for name in names])


class _Folder:
    """What a system left in a folder, checked before anything is scored."""

    def __init__(
        self, folder: Path, songs: Sequence[TrackFiles], names: Sequence[str], permute: bool
    ) -> None:
        self.is_permuted = False
        self._names, self._found = tuple(names), dict[str, TrackFiles]()
        alone = len(songs) == 1 and not (folder / songs[0].name).is_dir()
        for song in songs:
            place = folder if alone else folder / song.name
            if not place.is_dir():
                raise BadFile(f"{place}: no such folder; expected a folder for each song of REF")
            if permute and not self._found:
                self._choose(place)
            own = read_track(place, self._names)
            for what, ours, theirs in (
                ("rate_hz", song.rate_hz, own.rate_hz),
                ("number of samples", song.n_samples, own.n_samples),
                ("number of channels", song.n_channels, own.n_channels),
            ):
                if ours != theirs:
                    raise BadFile(f"{place}: {what} {theirs}; the reference has {ours}")
            self._found[song.name] = own

    def _choose(self, place: Path) -> None:
        """Take all that there is, unless it has the names of the true stems."""
        there = tuple(read_track(place).stems)
        if set(self._names) <= set(there):
            return
        if len(there) < len(self._names):
            raise BadFile(
                f"{place}: {len(there)} stems, {', '.join(there)}; expected {len(self._names)} at "
                "least, one for each true one"
            )
        self._names, self.is_permuted = there, True

    def stems(self, song: TrackFiles) -> Stems:
        """All of a song, in the order of the names or, without them, of the alphabet."""
        return _stems(self._found[song.name], self._names)


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
