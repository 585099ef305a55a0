"""Two known speakers, scored as the authors of MS-VAE do and as everybody else does, in rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from pyannote.core import Timeline

from diarize.errors import BadCall
from diarize.scoring.bootstrap import Interval, ratio_interval
from diarize.scoring.grid import Grid
from diarize.scoring.pairing import Pair
from diarize.scoring.result import FULL, Rates, RecordingScore, score
from diarize.scoring.whole_seconds import whole_extent, whole_seconds, within_speech

TITLES = {
    "authors": "The authors' protocol: silence told, whole seconds, gaps of 1 s closed",
    "clean": "The clean protocol: nobody's silence told, no rounding, no collar, overlap scored",
}
HEADER = ("system", "told", "n", "miss %", "correct %", "confusion %", "FA %", "DER %", "corr.")


@dataclass(frozen=True)
class Estimate:
    """A rate over all recordings, and its 95 % bootstrap interval over these."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Row:
    """What a system is worth under a protocol; shares are of reference speaker-seconds.

    `told` says what it knows beforehand. `correlation` is that of the clean protocol's frames.
    """

    system: str
    protocol: str
    told: str
    n_recordings: int
    missed: Estimate
    correct: Estimate
    confusion: Estimate
    false_alarm: Estimate
    der: Estimate
    correlation: Estimate | None


def score_row(system: str, protocol: str, told: str, pairs: Sequence[Pair], seed: int = 0) -> Row:
    """Return a system's rates over `pairs` under "authors" or "clean".

    Under "authors" both sides come in whole seconds; what is said in true silence is left out of
    the hypothesis before that, for who is told silence says nothing there.

    Raises:
        BadCall: a protocol that is none, or nothing to score.
    """
    if protocol not in TITLES:
        raise BadCall(f"protocol {protocol!r}: expected {' or '.join(TITLES)}")
    if protocol == "authors":
        pairs = [_in_whole_seconds(pair) for pair in pairs]
    made = score(pairs, (FULL,), seed)
    rates = [one.rates[FULL.name] for one in made.recordings]
    correlation = None
    if protocol == "clean":  # whole seconds have no frames to follow
        correlation = _mean_correlation(made.recordings, seed)
    return Row(
        system,
        protocol,
        told,
        len(rates),
        missed=_share(rates, lambda one: one.missed_s, seed),
        correct=_share(rates, lambda one: one.correct_s, seed),
        confusion=_share(rates, lambda one: one.confusion_s, seed),
        false_alarm=_share(rates, lambda one: one.false_alarm_s, seed),
        der=_share(rates, lambda one: one.missed_s + one.confusion_s + one.false_alarm_s, seed),
        correlation=correlation,
    )


def protocol_grids(rows: Sequence[Row]) -> tuple[Grid, ...]:
    """Return a table a protocol, systems in the order they come in; intervals are in brackets."""
    grids = []
    for protocol, title in TITLES.items():
        own = [row for row in rows if row.protocol == protocol]
        if own:
            grids.append(Grid(title, HEADER, tuple(_cells(row) for row in own)))
    return tuple(grids)


def rows_json(rows: Sequence[Row]) -> list[Mapping[str, object]]:
    """Return the rows as JSON has them; NaN becomes None."""
    return [_plain(asdict(row)) for row in rows]


def _in_whole_seconds(pair: Pair) -> Pair:
    extent = pair.uem.extent() if pair.uem is not None else pair.reference.get_timeline().extent()
    found = whole_seconds(within_speech(pair.hypothesis, pair.reference))
    uem: Timeline = whole_extent(float(extent.end), pair.recording)
    return replace(pair, reference=whole_seconds(pair.reference), hypothesis=found, uem=uem)


def _share(rates: Sequence[Rates], part: Callable[[Rates], float], seed: int) -> Estimate:
    parts = np.array([part(one) for one in rates])
    totals = np.array([one.total_s for one in rates])
    value = float(parts.sum() / totals.sum()) if totals.sum() else math.nan
    return Estimate(value, ratio_interval(parts, totals, np.random.default_rng(seed)))


def _mean_correlation(recordings: Sequence[RecordingScore], seed: int) -> Estimate:
    values = np.array([one.correlation for one in recordings])
    there = np.isfinite(values)
    value = float(values[there].mean()) if there.any() else math.nan
    chance = np.random.default_rng(seed)
    return Estimate(value, ratio_interval(values[there], there[there].astype(float), chance))


def _cells(row: Row) -> tuple[str, ...]:
    rates = (row.missed, row.correct, row.confusion, row.false_alarm, row.der)
    correlation = "-" if row.correlation is None else _told(row.correlation, 1.0, 3)
    told = (row.system, row.told, str(row.n_recordings))
    return (*told, *(_told(one, 100.0, 2) for one in rates), correlation)


def _told(estimate: Estimate, factor: float, n_digits: int) -> str:
    word = f"{factor * estimate.value:.{n_digits}f}"
    if estimate.interval is None:
        return word
    low, high = (factor * one for one in (estimate.interval.low, estimate.interval.high))
    return f"{word} ({low:.{n_digits}f} to {high:.{n_digits}f})"


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    plain: dict[str, object] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            plain[name] = _plain(value)
        else:
            plain[name] = None if isinstance(value, float) and math.isnan(value) else value
    return plain
