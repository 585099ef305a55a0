"""Plucked strings that nobody recorded: guitars and basses, computed.

Source: K. Karplus and A. Strong, "Digital synthesis of plucked-string and drum timbres", Computer
Music Journal 7(2), 1983: noise goes round a delay line whose filter damps it. D. Jaffe and J.
Smith, "Extensions of the Karplus-Strong plucked-string algorithm", the same issue: where a string
is plucked, how brightly, how long it sounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.signal import butter, iirpeak, lfilter, sosfilt

from diarize.corpora.soundfont_file import Envelope, Sample, Zone, ZonedPreset

RATE_HZ = 44100
SEED = 9  # of the noise that strings are plucked with, one after the other
PEAK = 0.9
FADE = 3000  # samples
SOFT, HARD = (0.2, (0, 80)), (0.9, (81, 127))  # how hard, 0 to 1, and at which velocities
GUITAR_KEYS, BASS_KEYS = range(38, 90, 4), range(24, 64, 4)  # a string for every fourth key
Sound = Float[np.ndarray, " time"]


@dataclass(frozen=True)
class Pluck:
    """How an instrument's strings are made and plucked.

    Attributes:
        length_s: of the recording.
        t60_s: how long the string of key 40 takes to fall by 60 dB; higher ones take less.
        brightness: of the pluck, a one-pole low-pass: of no force, and what full force adds.
        place: where it is plucked, as a share of the string.
        damping: how much of each sample is averaged with the one before it, a turn: .5 damps most.
        hardness: share of noise in the pluck; the rest is a triangle, as of a finger.
        pickup: where the string is listened to, as a share of it; None: as a whole.
        body: what the sound goes through after that.
        release_s: how long a note takes to fall by 100 dB once it is let go.
        is_driven: by an amplifier, which makes soft and hard notes equal: one layer.
    """

    number: int
    name: str
    length_s: float
    t60_s: float
    brightness: tuple[float, float]
    place: float
    damping: float
    hardness: float
    pickup: float | None
    body: Callable[[Sound], Sound]
    release_s: float = 0.2
    is_driven: bool = False


def plucked_presets() -> list[ZonedPreset]:
    """Seven guitars and five basses, as General MIDI numbers them."""
    chance = np.random.default_rng(SEED)
    presets = []
    for pluck in INSTRUMENTS:
        keys = GUITAR_KEYS if pluck.number < 32 else BASS_KEYS
        zones = []
        for key in keys:
            for force, velocities in (HARD,) if pluck.is_driven else (SOFT, HARD):
                samples, cents = pluck_string(pluck, key, force, chance)
                zones.append(
                    Zone(
                        Sample.of(samples, RATE_HZ, f"{pluck.name}{key}"),
                        root=key,
                        keys=(key - 1 if key > keys[0] else 0, key + 2 if key < keys[-1] else 127),
                        velocities=(0, 127) if pluck.is_driven else velocities,
                        cents=round(cents),
                        envelope=Envelope(release_s=pluck.release_s),
                    )
                )
        presets.append(ZonedPreset(0, pluck.number, pluck.name, tuple(zones)))
    return presets


def pluck_string(
    pluck: Pluck, key: int, force: float, chance: np.random.Generator
) -> tuple[Sound, float]:
    """A note of an instrument, and by how many cents it must be tuned higher to be the key's.

    The delay line is a whole number of samples long, and its filter adds `damping` of one.
    """
    t60_s = pluck.t60_s * 2 ** (-(key - 40) / 26)
    hz, n_samples = 440 * 2 ** ((key - 69) / 12), int(pluck.length_s * RATE_HZ)
    period = round(RATE_HZ / hz - pluck.damping)
    string = np.zeros(n_samples)
    string[:period] = _burst(pluck, period, force, chance)
    nearer = int(pluck.place * period)  # the wave that the near end sends back, upside down
    excitation = string.copy()
    excitation[nearer:] -= string[: n_samples - nearer]
    gain = 10 ** (-3 * period / (RATE_HZ * t60_s))
    loop = np.zeros(period + 2)
    loop[0], loop[period:] = 1, (-gain * (1 - pluck.damping), -gain * pluck.damping)
    sound = lfilter([1], loop, excitation)
    cents = 100 * (key - (69 + 12 * np.log2(RATE_HZ / (period + pluck.damping) / 440)))
    if pluck.pickup:
        behind = max(1, int(pluck.pickup * period))
        heard = sound.copy()
        heard[behind:] -= 0.8 * sound[: n_samples - behind]
        sound = heard
    sound = sound - sound.mean()
    sound = pluck.body(sound / np.abs(sound).max())
    sound[-FADE:] *= np.linspace(1, 0, FADE)
    return sound / np.abs(sound).max() * PEAK, float(cents)


def _burst(pluck: Pluck, period: int, force: float, chance: np.random.Generator) -> Sound:
    """What sets a string off: noise, and a triangle whose corner is where it is plucked."""
    noise = chance.uniform(-1, 1, period)
    corner = max(2, int(pluck.place * period))
    rising, falling = np.linspace(0, 1, corner), np.linspace(1, 0, period - corner)
    triangle = np.concatenate([rising, falling]) - 0.5
    both = pluck.hardness * noise + (1 - pluck.hardness) * 2 * triangle
    bright = pluck.brightness[0] + pluck.brightness[1] * force
    return lfilter([bright], [1, bright - 1], both)


def _box(*peaks: tuple[float, float, float]) -> Callable[[Sound], Sound]:
    """A wooden body that rings at peaks (Hz, quality, gain)."""

    def through(sound: Sound) -> Sound:
        made = sound * 0.6
        for hz, quality, gain in peaks:
            made = made + gain * lfilter(*iirpeak(hz, quality, RATE_HZ), sound)
        return made

    return through


def _band(low_hz: float, high_hz: float, order: int = 2) -> Callable[[Sound], Sound]:
    """A loudspeaker that passes a band."""
    filters = butter(order, [low_hz, high_hz], "band", fs=RATE_HZ, output="sos")
    return lambda sound: sosfilt(filters, sound)


def _driven(gain: float, high_hz: float) -> Callable[[Sound], Sound]:
    """An amplifier driven into distortion, a little more on one side, and its loudspeaker."""
    before = butter(1, 120, "high", fs=RATE_HZ, output="sos")
    speaker = _band(75.0, high_hz, 3)

    def through(sound: Sound) -> Sound:
        driven = np.tanh(gain * sosfilt(before, sound) + 0.15) - np.tanh(0.15)
        fading = np.exp(-np.arange(len(driven)) / RATE_HZ / 6)
        return speaker(driven - driven.mean()) * fading

    return through


def _slap(sound: Sound) -> Sound:
    return np.tanh(2 * _band(30.0, 7000.0)(sound))


def _fretless(sound: Sound) -> Sound:
    return lfilter([1], [1, -0.3], sound)


_NYLON = _box((96.0, 7.0, 1.4), (190.0, 9.0, 1.1), (300.0, 8.0, 0.5))
_STEEL = _box((102.0, 8.0, 1.2), (205.0, 10.0, 1.0), (390.0, 9.0, 0.6), (580.0, 8.0, 0.4))
_UPRIGHT = _box((65.0, 5.0, 1.2), (110.0, 6.0, 1.0), (230.0, 8.0, 0.5))
_OVER, _DISTORTED = _driven(8.0, 4200.0), _driven(60.0, 3600.0)
# number, name, length and t60 in s, brightness, place, damping, hardness, pickup, body
INSTRUMENTS = (
    Pluck(24, "KS nylon", 4.0, 3.2, (0.18, 0.25), 0.28, 0.5, 0.35, None, _NYLON),
    Pluck(25, "KS steel", 5.0, 7.0, (0.35, 0.45), 0.13, 0.32, 0.7, None, _STEEL),
    Pluck(26, "KS jazz", 4.0, 5.0, (0.12, 0.15), 0.3, 0.42, 0.3, 0.27, _band(60.0, 2600.0)),
    Pluck(27, "KS clean", 5.0, 7.0, (0.315, 0.405), 0.12, 0.3, 0.5, 0.18, _band(70.0, 5200.0)),
    Pluck(28, "KS muted", 1.2, 0.35, (0.205, 0.135), 0.12, 0.5, 0.6, 0.15, _band(70.0, 4500.0)),
    Pluck(29, "KS overdriven", 6.0, 9.0, (0.5, 0.0), 0.1, 0.3, 0.6, 0.08, _OVER, 0.12, True),
    Pluck(30, "KS distorted", 6.0, 9.0, (0.5, 0.0), 0.1, 0.3, 0.6, 0.08, _DISTORTED, 0.12, True),
    Pluck(32, "KS upright", 3.0, 2.2, (0.06, 0.06), 0.33, 0.5, 0.3, None, _UPRIGHT),
    Pluck(
        33, "KS fingered", 5.0, 6.0, (0.1, 0.12), 0.2, 0.45, 0.3, 0.22, _band(28.0, 2200.0), 0.12
    ),
    Pluck(34, "KS picked", 5.0, 6.0, (0.4, 0.2), 0.08, 0.35, 0.6, 0.14, _band(30.0, 4500.0), 0.12),
    Pluck(35, "KS fretless", 5.0, 5.0, (0.07, 0.05), 0.25, 0.42, 0.2, 0.12, _fretless),
    Pluck(36, "KS slap", 4.0, 4.0, (0.8, 0.0), 0.05, 0.3, 0.8, 0.1, _slap),
)
