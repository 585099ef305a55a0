"""What microphones make of speakers: levels, colours, telephones, rooms, and noise behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from diarize.audio.frames import to_samples
from diarize.audio.io import RATE_HZ, read_audio
from diarize.audio.mix import (
    add_noise,
    coloured_noise,
    companded,
    equalised,
    gain,
    reverberate,
    room_response,
    telephone,
)
from diarize.errors import BadCall

CROSS_FADE_S = 0.1
N_OCTAVES = 7  # 125 Hz to 8 kHz, of a microphone's colour
LOW_EDGE_HZ, HIGH_EDGE_HZ = (150.0, 400.0), (2800.0, 3800.0)  # of a telephone's band


@dataclass(frozen=True)
class Acoustics:
    """How recordings sound; a probability is for each recording, or for each speaker's telephone.

    Speakers' levels differ by a normal distribution of `level_spread_db`. A room is a measured
    response where there are any (else, and in half of the cases, an artificial one that rings
    for `min_room_s` to `max_room_s`). `noise_probability` is that of noise files, where there
    are any; pink noise at the same ratio stands in, for no microphone is silent. Every speaker's
    microphone has its own colour: gains of its octaves, normal with `colour_db`. A call, as
    probable as `call_probability`, has no room: each speaks over a band of his own, and the whole
    is carried by a mu-law line.
    """

    level_spread_db: float = 3.0
    min_dbfs: float = -32.0
    max_dbfs: float = -20.0
    room_probability: float = 0.5
    min_room_s: float = 0.2
    max_room_s: float = 0.7
    telephone_probability: float = 0.05
    noise_probability: float = 0.7
    min_snr_db: float = 10.0
    max_snr_db: float = 30.0
    colour_db: float = 0.0
    call_probability: float = 0.0

    def __post_init__(self) -> None:
        for kind in ("room", "telephone", "noise", "call"):
            name = f"{kind}_probability"
            if not 0 <= getattr(self, name) <= 1:
                raise BadCall(f"{name} = {getattr(self, name)}; expected 0 to 1")
        if not 0 <= self.colour_db <= 20:
            raise BadCall(f"colour_db = {self.colour_db}; expected 0 to 20 dB")
        for kind in ("dbfs", "room_s", "snr_db"):
            low, high = getattr(self, f"min_{kind}"), getattr(self, f"max_{kind}")
            if low > high:
                raise BadCall(f"min_{kind} = {low}, max_{kind} = {high}; expected min <= max")


def in_room(
    tracks: Float32[np.ndarray, "speaker time"],
    rooms: Sequence[Path],
    acoustics: Acoustics,
    generator: np.random.Generator,
) -> tuple[Float32[np.ndarray, "speaker time"], dict[str, object]]:
    """Each speaker's track at his level, over his telephone, in the room they share."""
    tracks = tracks.copy()
    if acoustics.colour_db:
        for track in tracks:
            gains_db = generator.normal(0, acoustics.colour_db, N_OCTAVES)
            track[:] = _as_loud(equalised(track, RATE_HZ, gains_db), track)
    facts: dict[str, object] = {"room": None}
    if acoustics.call_probability and generator.random() < acoustics.call_probability:
        return _on_a_line(tracks, acoustics, generator)
    levels_db = generator.normal(0, acoustics.level_spread_db, len(tracks))
    by_telephone = generator.random(len(tracks)) < acoustics.telephone_probability
    is_room = generator.random() < acoustics.room_probability
    measured = None
    room_s = float(generator.uniform(acoustics.min_room_s, acoustics.max_room_s))
    if is_room and rooms and generator.random() < 0.5:
        path = rooms[int(generator.integers(len(rooms)))]
        measured = read_audio(path).samples
        facts["room"] = path.name
    elif is_room:
        facts["room"] = f"artificial, {room_s:.2f} s"
    for track, level_db, is_telephone in zip(tracks, levels_db, by_telephone, strict=True):
        direct_db = float(generator.uniform(0, 10))
        if is_telephone:
            track[:] = telephone(track, RATE_HZ)
        if measured is not None:
            track[:] = reverberate(track, measured)
        elif is_room:
            track[:] = reverberate(track, room_response(room_s, direct_db, RATE_HZ, generator))
        track *= gain(level_db)
    facts["levels_db"] = [round(float(level_db), 1) for level_db in levels_db]
    facts["telephones"] = int(by_telephone.sum())
    return tracks, facts


def _on_a_line(
    tracks: Float32[np.ndarray, "speaker time"],
    acoustics: Acoustics,
    generator: np.random.Generator,
) -> tuple[Float32[np.ndarray, "speaker time"], dict[str, object]]:
    """Each speaker's track at his level, over a telephone of his own band."""
    levels_db = generator.normal(0, acoustics.level_spread_db, len(tracks))
    for track, level_db in zip(tracks, levels_db, strict=True):
        low_hz, high_hz = generator.uniform(*LOW_EDGE_HZ), generator.uniform(*HIGH_EDGE_HZ)
        track[:] = _as_loud(telephone(track, RATE_HZ, low_hz, high_hz), track) * gain(level_db)
    facts: dict[str, object] = {"room": None, "call": True}
    facts["levels_db"] = [round(float(level_db), 1) for level_db in levels_db]
    return tracks, facts | {"telephones": len(tracks)}


def carried(samples: Float32[np.ndarray, " time"]) -> Float32[np.ndarray, " time"]:
    """A whole call, at its level of full scale, after the line that carries it."""
    return companded(telephone(samples, RATE_HZ, LOW_EDGE_HZ[0], HIGH_EDGE_HZ[1]))


def _as_loud(
    changed: Float32[np.ndarray, " time"], before: Float32[np.ndarray, " time"]
) -> Float32[np.ndarray, " time"]:
    power, wanted = float(np.mean(np.square(changed))), float(np.mean(np.square(before)))
    return changed * np.float32(np.sqrt(wanted / power)) if power > 0 else changed


def background(
    speech: Float32[np.ndarray, " time"],
    noises: Sequence[Path],
    acoustics: Acoustics,
    generator: np.random.Generator,
) -> tuple[Float32[np.ndarray, " time"], dict[str, object]]:
    """`speech` with noise behind it at a ratio drawn from the range."""
    snr_db = float(generator.uniform(acoustics.min_snr_db, acoustics.max_snr_db))
    noise = coloured_noise(len(speech), -3.0, generator)
    names: list[str] = []
    if noises and generator.random() < acoustics.noise_probability:
        chosen = [noises[i] for i in generator.integers(len(noises), size=3)]
        names = [path.name for path in chosen]
        noise = noise * gain(-10.0) + _in_turn(chosen, len(speech), generator)
    return add_noise(speech, noise, snr_db, RATE_HZ), {
        "snr_db": round(snr_db, 1),
        "noises": names or ["pink"],
    }


def _in_turn(
    paths: Sequence[Path], n_samples: int, generator: np.random.Generator
) -> Float32[np.ndarray, " time"]:
    """The noises in an order of chance, cross-faded, each with a mean power of 1."""
    sounds = [read_audio(path).samples for path in paths]
    sounds = [one / np.sqrt(np.mean(np.square(one))) for one in sounds if one.any()]
    noise = np.zeros(n_samples, np.float32)
    n_fade = to_samples(CROSS_FADE_S, RATE_HZ)
    at = 0
    while sounds and at < n_samples:
        sound = sounds[int(generator.integers(len(sounds)))].copy()
        fade = min(n_fade, len(sound) // 2)
        ramp = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
        if at:
            sound[:fade] *= ramp
        sound[len(sound) - fade :] *= ramp[::-1]
        room = noise[at : at + len(sound)]
        room += sound[: len(room)]
        at += max(1, len(sound) - fade)
    return noise
