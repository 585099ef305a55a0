"""Stems as other players, makes and amplifiers would have them, drawn anew for each window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from diarize.audio.mix import gain
from diarize.audio.resample import at_speed
from diarize.config import at_most

FRAME = 512  # samples, over which the level of a stem is followed
MOST_CHANGE_DB = 12.0  # by which the dynamics make a moment louder or softer
RANGE_DB = 60.0  # below its loudest moment a stem's level is taken to be that far below


@dataclass(frozen=True)
class Effects:
    """How instruments are made to sound otherwise; all zeros: they are left as they are.

    Attributes:
        likely: how likely each of the three is used on a stem (one speed for all stems of a window
            that come from the same moment of a song).
        speed: the most by which a stem is faster and higher, or slower and lower, as a share.
        dynamics: the most by which the exponent of a stem's level over time differs from 1: above 1
            it dies away sooner, below 1 it is held longer.
        drive_db: the most by which the loudest moments of a stem pass where an amplifier bends
            (a hyperbolic tangent); its level stays.
    """

    likely: float = 0.0
    speed: float = 0.0
    dynamics: float = 0.0
    drive_db: float = 0.0

    def __post_init__(self) -> None:
        at_most(self, likely=1, speed=0.5, dynamics=0.9, drive_db=40)


def drawn_speed(effects: Effects, chance: np.random.Generator) -> float:
    """How fast a stem is played; 1 is as it is. Evenly spread in logarithm."""
    if not effects.speed or chance.random() >= effects.likely:
        return 1.0
    return math.exp(chance.uniform(-1, 1) * math.log1p(effects.speed))


def n_wanted(n_samples: int, speed: float) -> int:
    """Samples of a stem from which `n_samples` are left at that speed."""
    return math.ceil(n_samples * max(speed, 1.0)) + 1 if speed != 1 else n_samples


def played(
    samples: Float32[np.ndarray, " time"], speed: float, n_samples: int
) -> Float32[np.ndarray, " n_samples"]:
    """The first `n_samples` of a stem at another speed; silence where it ends.

    >>> played(np.ones(8, np.float32), 1.0, 4)
    array([1., 1., 1., 1.], dtype=float32)
    """
    samples = (samples if speed == 1 else at_speed(samples, speed))[:n_samples]
    return np.pad(samples, (0, n_samples - len(samples)))


def altered(
    stem: Float32[np.ndarray, " time"], effects: Effects, chance: np.random.Generator
) -> Float32[np.ndarray, " time"]:
    """A stem of another amplifier and touch, as loud as it was (root mean square)."""
    before = _rms(stem) if effects.likely else 0.0
    if not before:
        return stem
    if effects.dynamics and chance.random() < effects.likely:
        stem = with_dynamics(stem, 1 + chance.uniform(-effects.dynamics, effects.dynamics))
    if effects.drive_db and chance.random() < effects.likely:
        stem = driven(stem, chance.uniform(0, effects.drive_db))
    return stem * np.float32(before / _rms(stem))


def with_dynamics(
    stem: Float32[np.ndarray, " time"], exponent: float
) -> Float32[np.ndarray, " time"]:
    """A stem whose level over time, against its loudest moment, has that exponent."""
    n_frames = -(-len(stem) // FRAME)
    padded = np.pad(stem, (0, n_frames * FRAME - len(stem))).reshape(n_frames, FRAME)
    levels = np.sqrt((padded**2).mean(axis=1))
    loudest = float(levels.max(initial=0))
    if not loudest:
        return stem
    level_db = 20 * np.log10(np.maximum(levels / loudest, 10 ** (-RANGE_DB / 20)))
    change_db = np.clip((exponent - 1) * level_db, -MOST_CHANGE_DB, MOST_CHANGE_DB)
    middles = (np.arange(n_frames) + 0.5) * FRAME
    over_time = np.interp(np.arange(len(stem)), middles, change_db).astype(np.float32)
    return stem * np.float32(10) ** (over_time / 20)


def driven(stem: Float32[np.ndarray, " time"], drive_db: float) -> Float32[np.ndarray, " time"]:
    """A stem through a hyperbolic tangent, which its peak passes by `drive_db` (0: reaches it)."""
    peak = float(np.abs(stem).max(initial=0))
    return stem if not peak else np.tanh(stem * np.float32(gain(drive_db) / peak))


def _rms(stem: Float32[np.ndarray, " time"]) -> float:
    return float(np.sqrt(np.mean(stem**2))) if len(stem) else 0.0
