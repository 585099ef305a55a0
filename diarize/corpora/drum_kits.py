"""Drum kits as presets of a soundfont: which strokes play which keys of General MIDI, how loud.

Source: General MIDI level 1, percussion key map: 35, 36 bass drums, 38, 40 snares, 42, 44, 46
hi-hats (closed, by the pedal, open), 41 to 50 toms, 49, 57 crashes, 51, 59 rides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from diarize.corpora.soundfont_file import Envelope, Sample, Zone
from diarize.errors import BadFile

CHOKED = (42, 44, 46)  # a stroke on any ends the others
PEAK = 0.95
RELEASE_S = 1.0
TOMS = range(41, 51)
PEAKS = {  # of a kit whose parts are balanced, by the first key of each; of toms .8, of others .5
    **{35: 0.95, 36: 0.95, 38: 0.85, 40: 0.85, 37: 0.5, 39: 0.6, 42: 0.35, 44: 0.3, 46: 0.4},
    **{49: 0.6, 57: 0.6, 51: 0.4, 59: 0.4, 53: 0.4, 52: 0.5, 55: 0.5},
}
FLATTENED = (
    0.25  # exponent on how much softer a layer is: a synthesizer's velocity makes it softer too
)


@dataclass(frozen=True, eq=False)
class Layer:
    """A stroke, full scale 1, and how hard it is: from `low` to `high`, 0 to 1."""

    samples: Float[np.ndarray, " time"]
    rate_hz: int
    low: float
    high: float
    name: str

    @property
    def peak(self) -> float:
        """Its highest sample."""
        return float(np.abs(self.samples).max())


@dataclass(frozen=True)
class Part:
    """A drum: its strokes in any order, and the keys it plays, each tuned by so many cents."""

    keys: tuple[tuple[int, int], ...]
    layers: tuple[Layer, ...]


def tuned_keys(said: Sequence[Any], where: str) -> tuple[tuple[int, int], ...]:
    """Keys as a table has them: a number, or [a number, the cents by which it is tuned higher].

    Raises:
        BadFile: something else.

    >>> tuned_keys([41, [43, 150]], "kit.toml")
    ((41, 0), (43, 150))
    """
    keys = []
    for one in said:
        key = one if isinstance(one, list) else [one, 0]
        if len(key) != 2 or not all(type(number) is int for number in key):
            raise BadFile(f"{where}: {one!r}; expected a key, or [key, cents]")
        keys.append((key[0], key[1]))
    return tuple(keys)


def levelled(parts: Sequence[Part]) -> list[Part]:
    """The parts as loud as they are to one another, the loudest stroke at the peak."""
    loudest = max(layer.peak for part in parts for layer in part.layers)
    return [_with(part, [one.samples / loudest * PEAK for one in part.layers]) for part in parts]


def balanced(parts: Sequence[Part]) -> list[Part]:
    """The parts as loud as such drums usually are; the hardest stroke of each at its own peak."""
    made = []
    for part in parts:
        key, loudest = part.keys[0][0], max(layer.peak for layer in part.layers)
        peak = PEAKS.get(key, 0.8 if key in TOMS else 0.5)
        sounds = [
            one.samples * (peak / max(1e-4, one.peak)) * (one.peak / loudest) ** FLATTENED
            for one in part.layers
        ]
        made.append(_with(part, sounds))
    return levelled(made)


def kit_zones(parts: Sequence[Part]) -> tuple[Zone, ...]:
    """A zone for each key and stroke; velocities change halfway between one stroke and the next."""
    return tuple(zone for part in parts for zone in _part_zones(part))


def _with(part: Part, sounds: Sequence[Float[np.ndarray, " _"]]) -> Part:
    layers = zip(part.layers, sounds, strict=True)
    return replace(part, layers=tuple(replace(one, samples=sound) for one, sound in layers))


def _part_zones(part: Part) -> list[Zone]:
    layers = sorted(part.layers, key=lambda one: one.low)
    borders = [round(127 * (softer.high + harder.low) / 2) for softer, harder in pairwise(layers)]
    firsts, lasts = [0, *(border + 1 for border in borders)], [*borders, 127]
    samples = [Sample.of(one.samples, one.rate_hz, one.name) for one in layers]
    choke = int(any(key in CHOKED for key, _ in part.keys))
    return [
        Zone(
            sample,
            root=key,
            keys=(key, key),
            velocities=(first, last),
            cents=cents,
            envelope=Envelope(release_s=RELEASE_S),
            choke=choke,
        )
        for key, cents in part.keys
        for sample, first, last in zip(samples, firsts, lasts, strict=True)
        if first <= last
    ]
