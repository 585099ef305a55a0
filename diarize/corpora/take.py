"""One take of a song: who plays it with which preset, how fast, how high, how loud.

A take depends on the song's notes, the soundfont, the seed and the take's number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diarize.corpora.chance import generator_of
from diarize.corpora.instruments import DRUMS, SOURCES, programs_of
from diarize.corpora.midi_song import NOTES, Event, Instrument, Song, cut
from diarize.corpora.rendered_settings import PartSettings, RenderedSettings, Variation
from diarize.corpora.soundfont import Preset, Soundfont
from diarize.corpora.synthesizer import Performance

AS_WRITTEN = Variation(0.0, 0.0, 0, 0.0, 0.0, 0.0)
TAIL_S = 2.0  # in which the last notes die away
FILLED = ("guitar", "piano")  # by instruments outside the classes, if the song lacks them


@dataclass(frozen=True)
class Player:
    """An instrument of a take: its class, General MIDI's program, and what it plays."""

    source: str
    program: int
    performance: Performance
    gain_db: float


@dataclass(frozen=True)
class Take:
    """A song as it is to be played."""

    song: str
    number: int
    players: tuple[Player, ...]
    duration_s: float
    tempo: float
    semitones: int


def sources_of(song: Song, outsiders: str) -> dict[int, str]:
    """The class of each instrument that plays, by its place in the song.

    With `outsiders` "fill", those of other families play guitar or piano where the song has none:
    the one with the most notes first, in turn where both are lacking.
    """
    found = {
        place: one.source for place, one in enumerate(song.instruments) if one.source is not None
    }
    lacking = [source for source in FILLED if source not in found.values()]
    if outsiders != "fill" or not lacking:
        return found
    others = [place for place, one in enumerate(song.instruments) if one.source is None]
    others.sort(key=lambda place: (-song.instruments[place].n_notes, place))
    for turn, place in enumerate(others):
        found[place] = lacking[turn % len(lacking)]
    return dict(sorted(found.items()))


def plan_take(
    song: Song, soundfont: Soundfont, number: int, part: PartSettings, settings: RenderedSettings
) -> Take:
    """The take of that number; instruments that the soundfont has no preset for are left out.

    Which excerpt it is hangs on the song and the number alone, so that soundfonts can be compared.
    """
    variation = settings.variation if part.varied else AS_WRITTEN
    chance = generator_of(settings.seed, "take", song.fingerprint, soundfont.name, number)
    tempo = math.exp(chance.uniform(-1, 1) * math.log1p(variation.tempo))
    semitones = int(chance.integers(-variation.semitones, variation.semitones + 1))
    is_room, size = chance.random() < variation.room, chance.uniform(0.1, 0.9)
    place = generator_of(settings.seed, "excerpt", song.fingerprint, number).random()
    longest_s = min(song.duration_s, settings.max_s)
    start_s, end_s = _span(longest_s, part.excerpt_s * tempo, place)
    duration_s = (end_s - start_s) / tempo + TAIL_S
    players = []
    for place, source in sources_of(song, settings.outsiders).items():
        own = chance.spawn(1)[0]
        instrument = song.instruments[place]
        program, preset = _preset(instrument, source, soundfont, variation.program, own)
        exponent = math.exp(own.uniform(-1, 1) * variation.velocity)
        gain_db = float(own.uniform(-1, 1) * variation.gain_db)
        events = tuple(cut(instrument.events, start_s, end_s))
        if preset is None or not any(event.kind == "on" for event in events):
            continue
        events = played(events, tempo, 0 if source == "drums" else semitones, exponent)
        performance = Performance(events, preset, duration_s, float(size) if is_room else 0.0)
        players.append(Player(source, program, performance, gain_db))
    players.sort(key=lambda one: SOURCES.index(one.source))
    return Take(song.name, number, tuple(players), duration_s, tempo, semitones)


def _span(duration_s: float, excerpt_s: float, place: float) -> tuple[float, float]:
    """Where in a song an excerpt is, `place` being 0 to 1: the whole song if it is no longer.

    >>> _span(100.0, 60.0, 0.5), _span(100.0, 0.0, 0.5)
    ((20.0, 80.0), (0.0, 100.0))
    """
    if not 0 < excerpt_s < duration_s:
        return 0.0, duration_s
    start_s = place * (duration_s - excerpt_s)
    return start_s, start_s + excerpt_s


def played(
    events: Sequence[Event], tempo: float, semitones: int, exponent: float
) -> tuple[Event, ...]:
    """The events at another tempo and pitch, notes struck harder or softer.

    A note that would leave the keyboard stays as it is.

    >>> played([Event(1.0, "on", 60, 64)], 2.0, -1, 1.0)
    (Event(time_s=0.5, kind='on', first=59, second=64),)
    """
    changed = []
    for event in events:
        new = event._replace(time_s=event.time_s / tempo)
        if event.kind in NOTES and 0 <= event.first + semitones <= 127:
            new = new._replace(first=event.first + semitones)
        if event.kind == "on":
            force = 127 * (event.second / 127) ** exponent
            new = new._replace(second=round(min(max(force, 1), 127)))
        changed.append(new)
    return tuple(changed)


def _preset(
    instrument: Instrument,
    source: str,
    soundfont: Soundfont,
    variety: float,
    chance: np.random.Generator,
) -> tuple[int, Preset | None]:
    """The program and preset that an instrument is played by; None if there is none."""
    able = soundfont.players(source)
    is_other, choice = chance.random() < variety, int(chance.integers(2**31))
    own = instrument.program if instrument.source == source else _stand_in(instrument, source)
    alike = soundfont.plain(own)
    if able and (is_other or not alike):
        alike = able
    preset = alike[choice % len(alike)] if alike else None
    return (DRUMS if source == "drums" or preset is None else preset.number), preset


def _stand_in(instrument: Instrument, source: str) -> int:
    """The program that an instrument of another family is played by: a fixed one of the class."""
    programs = programs_of(source)
    return programs[instrument.program % len(programs)]
