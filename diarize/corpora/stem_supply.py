"""Windows of songs in stems, remixed, to train a separator on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from diarize.audio.mix import gain
from diarize.corpora.batch import Songs
from diarize.corpora.chance import generator_of
from diarize.corpora.stem_brightness import Moments, moments_of
from diarize.corpora.stem_effects import altered, drawn_speed, n_wanted, played
from diarize.corpora.stem_sets import FOLDER, sounds
from diarize.corpora.stem_settings import Remix, StemSettings
from diarize.corpora.stems import prepared_songs
from diarize.errors import BadFile
from diarize.formats.tracks import TrackFiles, read_samples, read_track

TRIES = 10  # of a window
MOST_TRIES = 1000  # where sources have to sound
REDRAWS = 4  # of a stem in it


class StemSupply:
    """Hands out windows of what `diarize prepare stems` left; a `Supply`, the same for any phase.

    A window hangs on the seed, the phase, the epoch, the batch's number and its row.
    """

    settings_type = StemSettings

    def __init__(self, folder: Path | str, settings: StemSettings) -> None:
        """The supply of the part to train on.

        Raises:
            BadFile: nothing was prepared, by other settings, or no song is as long as a window.
        """
        self.settings = settings
        part = settings.train_part
        names = prepared_songs(Path(folder), settings).get(part, [])
        self.place = place = Path(folder) / FOLDER / part
        songs = [read_track(place / name, settings.sources) for name in names]
        self.songs = [song for song in songs if song.n_samples >= settings.n_samples]
        if not self.songs:
            raise BadFile(f"{place}: no song of {settings.window_s:g} s or more")
        self._ends = np.cumsum([song.n_samples - settings.n_samples + 1 for song in self.songs])

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch has."""
        return self.settings.n_batches

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Songs]:
        """The batches of epoch `epoch` (from 0), from number `start` on."""
        for number in range(start, self.settings.n_batches):
            rows = [
                self.window(generator_of(self.settings.seed, phase, epoch, number, row))
                for row in range(self.settings.batch)
            ]
            stems = torch.from_numpy(np.stack(rows))
            yield Songs(inputs=stems.sum(1, keepdim=True), stems=stems)

    def window(self, chance: np.random.Generator) -> Float32[np.ndarray, "source time"]:
        """The stems of one window.

        Raises:
            BadFile: sources have to sound, and do in none of a thousand windows.
        """
        wanted, has_to = self.settings.least_active, self.settings.sounding_rms > 0
        for _ in range(MOST_TRIES if has_to else TRIES):
            stems = self._drawn(chance)
            if sum(map(self._sounds, stems)) >= wanted:
                return remixed(stems, self.settings.remix, chance)
        if not has_to:
            return remixed(stems, self.settings.remix, chance)
        raise BadFile(
            f"{self.place}: {MOST_TRIES} windows of {self.settings.window_s:g} s, in none of which "
            f"{wanted} of {', '.join(self.settings.sources)} reach sounding_rms = "
            f"{self.settings.sounding_rms:g}"
        )

    def _sounds(self, stem: Float32[np.ndarray, " time"]) -> bool:
        return sounds(stem, self.settings.sounding_rms)

    def _drawn(self, chance: np.random.Generator) -> Float32[np.ndarray, "source time"]:
        """A window as it is in a song, or with each stem from a place of its own."""
        sources, remix = self.settings.sources, self.settings.remix
        if chance.random() >= remix.share:
            place, speed = self._moment(chance), drawn_speed(remix.effects, chance)
            return np.stack([self._read(place, source, speed) for source in sources])
        rows = []
        for source in sources:
            speed = drawn_speed(remix.effects, chance)
            row = self._read(self._place(chance), source, speed)
            for _ in range(REDRAWS):
                if self._sounds(row) or chance.random() >= remix.sounding:
                    break
                row = self._read(self._place(chance), source, speed)
            rows.append(row)
        return np.stack(rows)

    def _read(self, place: _Place, source: str, speed: float) -> Float32[np.ndarray, " time"]:
        path, n_samples = place.song.stems[source], self.settings.n_samples
        found = read_samples(path, place.start, n_wanted(n_samples, speed)).mean(axis=0)
        return played(found, speed, n_samples)

    def _moment(self, chance: np.random.Generator) -> _Place:
        """A moment of one song: one of the darkest or brightest, or any."""
        if self.settings.brightness.is_used:
            drawn = self._moments.drawn(self.settings.brightness, chance)
            if drawn is not None:
                return _Place(self.songs[drawn[0]], drawn[1])
        return self._place(chance)

    @cached_property
    def _moments(self) -> Moments:
        """All windows by how bright they are; every song is read for that, once."""
        own = self.settings
        mixtures = (
            sum(read_samples(song.stems[name]).mean(axis=0) for name in own.sources)
            for song in self.songs
        )
        return moments_of(mixtures, own.rate_hz, own.n_samples, own.brightness.above_hz)

    def _place(self, chance: np.random.Generator) -> _Place:
        """A moment of all songs: long songs are drawn as much more often as they are longer."""
        at = int(chance.integers(self._ends[-1]))
        index = int(np.searchsorted(self._ends, at, side="right"))
        before = int(self._ends[index - 1]) if index else 0
        return _Place(self.songs[index], at - before)


@dataclass(frozen=True)
class _Place:
    song: TrackFiles
    start: int


def remixed(
    stems: Float32[np.ndarray, "source time"], remix: Remix, chance: np.random.Generator
) -> Float32[np.ndarray, "source time"]:
    """The stems altered and at other levels, some left out; their sum stays below the peak."""
    n_sources = len(stems)
    stems = np.stack([altered(stem, remix.effects, chance) for stem in stems])
    levels_db = chance.uniform(-remix.gain_db, remix.gain_db, n_sources)
    signs = chance.choice([-1.0, 1.0], n_sources) if remix.invert else np.ones(n_sources)
    kept = chance.random(n_sources) >= remix.mute
    if not kept.any():
        kept[chance.integers(n_sources)] = True
    level_db = chance.uniform(-remix.level_db, remix.level_db)
    factors = np.array([gain(level_db + one) for one in levels_db]) * signs * kept
    changed = (stems * factors[:, None]).astype(np.float32)
    peak = float(np.abs(changed.sum(axis=0)).max(initial=0))
    return changed * np.float32(remix.peak / peak) if peak > remix.peak else changed
