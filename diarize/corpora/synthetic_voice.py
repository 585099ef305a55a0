"""Talkers that never lived: speech-like sound from a source and a filter, free of any licence.

The source is a row of harmonics of a moving pitch, or noise; the filter is five formants that
move from vowel to vowel. What is said has no meaning, but it has syllables, stresses, breath
groups and pauses, enough for networks that were trained on speech to take it for speech.

Source: G. Fant, "Acoustic Theory of Speech Production", 1960; vowel formants after Peterson and
Barney, "Control Methods Used in a Study of the Vowels", 1952, table II (men).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from diarize.audio.io import RATE_HZ
from diarize.corpora.phrases import Spoken, joined

HOP = 80  # samples between control frames: 5 ms
HOP_S = HOP / RATE_HZ
WINDOW = 4 * HOP
TOP_HZ = 7_200.0
VOWELS_HZ = {  # first three formants
    "i": (270, 2290, 3010),
    "e": (530, 1840, 2480),
    "a": (730, 1090, 2440),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "y": (390, 1990, 2550),
    "@": (490, 1350, 1690),
}
NASAL_HZ = (250, 1200, 2200)
BANDWIDTHS_HZ = np.array([70.0, 100.0, 140.0, 220.0, 300.0])
HISSES_HZ = {"s": (5600, 1400), "sh": (3000, 1000), "f": (4500, 3500), "h": (1500, 1500)}


@dataclass(frozen=True)
class Talker:
    """What makes a voice its own.

    `tract` scales all formants (1 a man's, 1.17 a woman's), `tilt_db` is the fall of the
    source's spectrum per octave, `jitter` and `vibrato` are shares of the pitch.
    """

    name: str
    pitch_hz: float
    tract: float
    tilt_db: float
    breath: float
    syllables_per_s: float
    melody: float = 0.18
    jitter: float = 0.008
    vibrato: float = 0.012


LOW = Talker("synthetic_low", 108.0, 0.97, -7.0, 0.02, 4.4)
HIGH = Talker("synthetic_high", 214.0, 1.19, -9.5, 0.05, 5.2, melody=0.24)


@dataclass(frozen=True)
class _Score:
    """What the mouth does, frame by frame of 5 ms."""

    formants_hz: Float[np.ndarray, "frame formant"]
    voice: Float[np.ndarray, " frame"]
    breath: Float[np.ndarray, " frame"]
    hiss: Float[np.ndarray, " frame"]
    hiss_hz: Float[np.ndarray, "frame 2"]
    pitch_hz: Float[np.ndarray, " frame"]


def speak(talker: Talker, wanted_s: float, generator: np.random.Generator) -> Spoken:
    """About `wanted_s` seconds of `talker`, in breath groups of 1 to 3 s with pauses between."""
    pieces: list[Spoken] = []
    said_s = 0.0
    while said_s < 0.8 * wanted_s:
        if pieces:
            pause_s = float(generator.uniform(0.4, 0.8))
            n_samples = round(pause_s * 1000) * RATE_HZ // 1000
            pieces.append(Spoken(np.zeros(n_samples, np.float32), ()))
        group_s = min(wanted_s - said_s, float(generator.uniform(1.0, 3.0)))
        pieces.append(_breath_group(talker, group_s, generator))
        said_s += pieces[-1].duration_s
    return joined(pieces)


def _breath_group(talker: Talker, wanted_s: float, generator: np.random.Generator) -> Spoken:
    score = _score(talker, max(1, round(wanted_s * talker.syllables_per_s)), generator)
    sound = _voiced(talker, score, generator) + _noisy(talker, score, generator)
    # truth is from the first to the last control frame that makes any sound
    loud = score.voice + score.hiss + score.breath > 0.02
    first, last = int(np.argmax(loud)), len(loud) - int(np.argmax(loud[::-1]))
    return Spoken(
        (0.1 * sound).astype(np.float32), ((round(first * HOP_S, 3), round(last * HOP_S, 3)),)
    )


def _score(talker: Talker, n_syllables: int, generator: np.random.Generator) -> _Score:
    """Syllables in a row: a consonant, then a vowel, each some frames long, smoothed."""
    parts = []
    for index in range(n_syllables):
        is_last = index == n_syllables - 1
        stress = 1.0 if generator.random() < 0.4 else 0.7
        parts += _syllable(talker, stress * (1.3 if is_last else 1.0), generator)
    frames = np.concatenate([np.repeat(part[None], n, axis=0) for n, part in parts])
    edge = np.zeros((4, frames.shape[1]))
    edge[:, :5], edge[:, 8:10] = frames[0, :5], frames[0, 8:10]
    frames = np.concatenate([edge, frames, edge])
    formants = _smooth(frames[:, :5], 13)
    voice, breath = _smooth(frames[:, 5:6], 7)[:, 0], _smooth(frames[:, 6:7], 5)[:, 0]
    hiss = _smooth(frames[:, 7:8], 3)[:, 0]
    pitch = _pitch(talker, frames[:, 10], generator)
    return _Score(formants, voice, breath, hiss, frames[:, 8:10], pitch)


def _syllable(
    talker: Talker, stress: float, generator: np.random.Generator
) -> list[tuple[int, Float[np.ndarray, " control"]]]:
    """Pairs of a length in frames and the controls held that long.

    Controls: five formants (Hz), voice, breath, hiss, the hiss's centre and width (Hz), stress.
    """
    names = list(VOWELS_HZ)
    vowel = VOWELS_HZ[names[int(generator.integers(len(names)))]]
    glide = VOWELS_HZ[names[int(generator.integers(len(names)))]]
    upper = (3500.0, 4500.0)
    first = talker.tract * np.array([*vowel, *upper]) * generator.uniform(0.96, 1.04, 5)
    second = 0.65 * first + 0.35 * talker.tract * np.array([*glide, *upper])
    n_vowel = max(14, round(stress * 0.68 / talker.syllables_per_s / HOP_S))
    sides = np.array([*HISSES_HZ["s"], stress])
    sides[:2] = HISSES_HZ[list(HISSES_HZ)[int(generator.integers(len(HISSES_HZ)))]]
    parts: list[tuple[int, Float[np.ndarray, " control"]]] = []
    kind = generator.random()
    if kind < 0.3:  # a fricative; half of them with voice
        voice = 0.25 * float(generator.random() < 0.5)
        parts.append((int(generator.integers(12, 20)), np.r_[first, voice, 0, 0.35, sides]))
    elif kind < 0.6:  # a plosive: closure, burst, aspiration
        parts.append((int(generator.integers(6, 11)), np.r_[first, 0.06, 0, 0, sides]))
        parts.append((3, np.r_[first, 0, 0, 0.9, sides]))
        parts.append((int(generator.integers(3, 8)), np.r_[first, 0.1, 0.5, 0, sides]))
    elif kind < 0.85:  # a nasal
        nose = talker.tract * np.array([*NASAL_HZ, *upper])
        parts.append((int(generator.integers(10, 16)), np.r_[nose, 0.4, 0, 0, sides]))
    loud = 0.75 + 0.25 * stress
    parts.append((n_vowel // 2, np.r_[first, loud, talker.breath, 0, sides]))
    parts.append((n_vowel - n_vowel // 2, np.r_[second, 0.85 * loud, talker.breath, 0, sides]))
    return parts


def _pitch(
    talker: Talker, stress: Float[np.ndarray, " frame"], generator: np.random.Generator
) -> Float[np.ndarray, " frame"]:
    """Pitch in Hz: falls over the breath group, rises on stress, trembles a little."""
    n_frames = len(stress)
    time_s = np.arange(n_frames) * HOP_S
    fall = np.linspace(0.6, -0.6, n_frames) * talker.melody
    accent = _smooth((stress > 0.9).astype(float)[:, None], 41)[:, 0] * talker.melody
    wander = _smooth(generator.normal(size=(n_frames, 1)), 61)[:, 0] * talker.melody * 3
    tremble = talker.vibrato * np.sin(2 * np.pi * 5.2 * time_s + generator.uniform(0, 6.28))
    shake = _smooth(generator.normal(size=(n_frames, 1)), 3)[:, 0] * talker.jitter
    bend = np.clip(fall + accent + wander, -2 * talker.melody, 2 * talker.melody)
    return talker.pitch_hz * np.exp2(bend + tremble + shake)


def _voiced(
    talker: Talker, score: _Score, generator: np.random.Generator
) -> Float32[np.ndarray, " time"]:
    """The sum of all harmonics below 7.2 kHz, each at the gain and phase of the formants."""
    n_samples = len(score.voice) * HOP
    at = np.arange(n_samples) / HOP
    frame = np.arange(len(score.voice))
    pitch = np.interp(at, frame, score.pitch_hz)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    shimmer = 1 + 0.06 * _smooth(generator.normal(size=(len(frame), 1)), 3)[:, 0]
    n_harmonics = int(TOP_HZ / score.pitch_hz.min())
    number = np.arange(1, n_harmonics + 1)
    freq = score.pitch_hz[:, None] * number
    filtered = _formant_gain(freq, score.formants_hz)
    tilt = 10 ** (talker.tilt_db * np.log2(number) / 20)
    amplitude = (score.voice * shimmer)[:, None] * tilt * np.abs(filtered) * (freq < TOP_HZ)
    angle = np.unwrap(np.angle(filtered), axis=0)
    sound = np.zeros(n_samples, np.float32)
    for harmonic in range(n_harmonics):
        volume = np.interp(at, frame, amplitude[:, harmonic])
        lag = np.interp(at, frame, angle[:, harmonic])
        sound += (volume * np.sin((harmonic + 1) * phase + lag)).astype(np.float32)
    return sound


def _noisy(
    talker: Talker, score: _Score, generator: np.random.Generator
) -> Float32[np.ndarray, " time"]:
    """Hiss of fricatives and bursts, and breath through the formants, by overlap-add."""
    n_frames = len(score.voice)
    freq = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    spectra = np.fft.rfft(generator.normal(size=(n_frames, WINDOW)))
    centre, width = score.hiss_hz[:, :1] * talker.tract**0.5, score.hiss_hz[:, 1:]
    hiss = score.hiss[:, None] * np.exp(-0.5 * ((freq - centre) / width) ** 2)
    throat = np.abs(_formant_gain(np.broadcast_to(freq, (n_frames, len(freq))), score.formants_hz))
    breath = score.breath[:, None] * throat * np.minimum(1, freq / 1500)
    window = np.hanning(WINDOW + 1)[:-1]
    pieces = np.fft.irfft(spectra * (1.2 * hiss + 0.5 * breath), WINDOW) * window
    sound = np.zeros((n_frames + 3) * HOP, np.float32)
    for part in range(WINDOW // HOP):
        rows = pieces[:, part * HOP : (part + 1) * HOP].reshape(-1)
        sound[part * HOP : part * HOP + len(rows)] += rows.astype(np.float32)
    return sound[HOP : HOP + n_frames * HOP]


def _formant_gain(
    freq_hz: Float[np.ndarray, "frame freq"], formants_hz: Float[np.ndarray, "frame formant"]
) -> np.ndarray:
    """The complex gain of resonances in a row, 1 at 0 Hz."""
    total = np.ones(freq_hz.shape, complex)
    for index, bandwidth in enumerate(BANDWIDTHS_HZ):
        centre = formants_hz[:, index : index + 1]
        total *= centre**2 / (centre**2 - freq_hz**2 + 1j * freq_hz * bandwidth)
    return total


def _smooth(
    values: Float[np.ndarray, "frame control"], n_frames: int
) -> Float[np.ndarray, "frame control"]:
    """A moving mean (Hann-weighted) over that many frames; the ends are held."""
    kernel = np.hanning(n_frames + 2)[1:-1]
    padded = np.pad(values, ((n_frames // 2, n_frames // 2), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), mode="valid") for column in padded.T]
    return np.stack(columns, axis=1)
