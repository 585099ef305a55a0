"""A song as its instruments' notes in seconds, read from a MIDI file.

An instrument is what one channel plays with one program. So a channel that changes its program is
several instruments, and each of them has the channel's bends and controllers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from diarize.corpora.instruments import DRUM_CHANNEL, DRUMS, source_of_program
from diarize.errors import BadFile

ENDINGS = (".mid", ".midi", ".kar")
TICKS_PER_BEAT = 960
TEMPO_US = 500_000  # of a beat, in the files that are written, and where a file says nothing
BANKS = (0, 32)  # the controllers that choose one
Kind = Literal["on", "off", "key_pressure", "control", "program", "pressure", "bend"]
_KINDS: dict[str, tuple[Kind, str, str]] = {  # as mido has them
    "note_on": ("on", "note", "velocity"),
    "note_off": ("off", "note", "velocity"),
    "polytouch": ("key_pressure", "note", "value"),
    "control_change": ("control", "control", "value"),
    "program_change": ("program", "program", ""),
    "aftertouch": ("pressure", "value", ""),
    "pitchwheel": ("bend", "pitch", ""),
}
_NAMES = {kind: (name, first, second) for name, (kind, first, second) in _KINDS.items()}
NOTES = ("on", "off", "key_pressure")  # whose first number is a key


class Event(NamedTuple):
    """Something that a player does, at a time in seconds; its one or two numbers as in MIDI.

    A note begins ("on", key, velocity) and ends ("off", key, velocity); bends are -8192 to 8191.
    """

    time_s: float
    kind: Kind
    first: int
    second: int = 0


@dataclass(frozen=True)
class Instrument:
    """One player: its channel, its program (128: drums) and what it does, in order."""

    channel: int
    program: int
    events: tuple[Event, ...]

    @property
    def source(self) -> str | None:
        """The class it belongs to, or None."""
        return source_of_program(self.program)

    @property
    def n_notes(self) -> int:
        """How many notes it plays."""
        return sum(event.kind == "on" for event in self.events)


@dataclass(frozen=True)
class Song:
    """A song: a name, how long it is, who plays in it, and a hash of its notes' pitches in order.

    Two files with one `fingerprint` are one song, whatever they are called and however fast.
    """

    name: str
    duration_s: float
    instruments: tuple[Instrument, ...]
    fingerprint: str


def find_midi(folder: Path | str) -> list[Path]:
    """All MIDI files in a folder and those below it, in order.

    Raises:
        BadFile: there is no such folder, or none in it.
    """
    folder = Path(folder)
    found = sorted(one for one in folder.rglob("*") if one.suffix.lower() in ENDINGS)
    if not found:
        what = "no MIDI file in it (.mid)" if folder.is_dir() else "no such folder"
        raise BadFile(f"{folder}: {what}; name a folder of MIDI files")
    return found


def read_song(path: Path | str) -> Song:
    """The song in a MIDI file.

    Raises:
        BadFile: it cannot be read as MIDI, or has no note.
    """
    import mido

    path = Path(path)
    try:
        midi = mido.MidiFile(path)
        played = list(_in_seconds(midi))
    except Exception as error:  # the parser lets through whatever its slips run into
        reason = str(error) or type(error).__name__
        raise BadFile(f"{path}: cannot be read as MIDI ({reason})") from None
    if midi.type == 2:
        raise BadFile(f"{path}: MIDI of type 2, tracks without a common time; 0 or 1 would do")
    pitches = [event.first % 128 for _, event in played if event.kind == "on"]
    if not pitches:
        raise BadFile(f"{path}: MIDI without a note")
    digest = hashlib.sha256(bytes(pitches)).hexdigest()
    end_s = max(event.time_s for _, event in played if event.kind in ("on", "off"))
    return Song(path.stem, end_s, _instruments(played), digest)


def cut(events: Iterable[Event], start_s: float, end_s: float) -> Iterator[Event]:
    """What a player does from one moment to another, which begins at 0.

    Notes that began before are left out, and those that sound at the end are let go there;
    controllers are as they were left.
    """
    held: dict[int, int] = {}
    for event in events:
        if event.time_s > end_s:
            break
        if event.time_s == end_s and event.kind == "on":
            continue
        if event.time_s < start_s and event.kind in NOTES:
            continue
        if event.kind == "off" and not held.get(event.first):
            continue  # of a note that began before
        if event.kind in ("on", "off"):
            held[event.first] = held.get(event.first, 0) + (1 if event.kind == "on" else -1)
        yield event._replace(time_s=max(event.time_s - start_s, 0.0))
    for key, count in held.items():
        for _ in range(count):
            yield Event(end_s - start_s, "off", key)


def save_midi(path: Path, tracks: Iterable[tuple[int, Iterable[Event]]], end_s: float) -> None:
    """Write what players do as MIDI of type 1, a track for each (channel, events), up to `end_s`.

    Time is kept to half a millisecond.
    """
    import mido

    per_s = TICKS_PER_BEAT * 1e6 / TEMPO_US
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    for channel, events in tracks:
        track, now = mido.MidiTrack(), 0
        for event in events:
            ticks = max(round(event.time_s * per_s), now)
            name, first, second = _NAMES[event.kind]
            numbers = {first: event.first} | ({second: event.second} if second else {})
            track.append(mido.Message(name, channel=channel, time=ticks - now, **numbers))
            now = ticks
        rest = max(round(end_s * per_s) - now, 0)
        track.append(mido.MetaMessage("end_of_track", time=rest))
        midi.tracks.append(track)
    midi.save(path)


def _in_seconds(midi: Any) -> Iterator[tuple[int, Event]]:
    """The channel and the event of every message of a MIDI file, in the order of time."""
    timed = []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type in _KINDS or message.type == "set_tempo":
                timed.append((tick, message))
    timed.sort(key=lambda one: one[0])  # of those at once, the earlier track's come first
    now_s, now, tick_s = 0.0, 0, TEMPO_US * 1e-6 / midi.ticks_per_beat
    for tick, message in timed:
        now_s, now = now_s + (tick - now) * tick_s, tick
        if message.type == "set_tempo":
            tick_s = message.tempo * 1e-6 / midi.ticks_per_beat
            continue
        kind, first, second = _KINDS[message.type]
        numbers = getattr(message, first), getattr(message, second) if second else 0
        if kind == "on" and not numbers[1]:
            kind = "off"  # struck with no force: that is how many files end a note
        yield message.channel, Event(now_s, kind, *numbers)


def _instruments(played: list[tuple[int, Event]]) -> tuple[Instrument, ...]:
    programs = [0] * 16
    own: dict[tuple[int, int], list[Event]] = {}
    holders: dict[tuple[int, int], list[tuple[int, int]]] = {}  # who holds a key of a channel
    for channel, event in played:
        if event.kind == "program":
            programs[channel] = event.first
        elif event.kind == "on":
            player = channel, DRUMS if channel == DRUM_CHANNEL else programs[channel]
            own.setdefault(player, []).append(event)
            holders.setdefault((channel, event.first), []).append(player)
        elif event.kind == "off" and holders.get((channel, event.first)):
            own[holders[channel, event.first].pop(0)].append(event)
    for (channel, _), events in own.items():
        shared = [event for one, event in played if one == channel and _is_shared(event)]
        events[:] = sorted([*shared, *events], key=lambda event: event.time_s)  # these first
    return tuple(Instrument(*player, tuple(own[player])) for player in sorted(own))


def _is_shared(event: Event) -> bool:
    """Whether it tells of a whole channel, and not which preset plays."""
    is_bank = event.kind == "control" and event.first in BANKS
    return event.kind not in ("on", "off", "program") and not is_bank
