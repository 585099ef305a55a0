"""What was measured of a system, as the file timing.json, and the figures made from it."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from diarize.formats.text import save_text


@dataclass(frozen=True)
class Spread:
    """A figure over rounds: its median, and how far the rounds lie apart."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        digits = 4 if self.median < 1 else 1
        return f"{self.median:.{digits}f} ({self.least:.{digits}f}-{self.most:.{digits}f})"


@dataclass(frozen=True)
class Timing:
    """All that was measured of one system in one run.

    `rounds` has one table a round: seconds for each recording that was done, warm. `start_s` is
    from the command to readiness and `first_s` the recording that warmed it up. `failures` holds
    the error of each recording that the system could not do. `changed` names the recordings whose
    turns were not the same in every round.
    """

    system: str
    versions: dict[str, str]
    threads: int
    start_s: float
    first_s: float
    peak_rss_mib: float
    audio_s: dict[str, float]
    rounds: list[dict[str, float]]
    failures: dict[str, str]
    changed: list[str]


def realtime_factor(timing: Timing) -> Spread:
    """Seconds of work per second of audio in each round, over the recordings that were done."""
    return spread(
        [
            sum(done.values()) / sum(timing.audio_s[recording] for recording in done)
            for done in timing.rounds
            if done
        ]
    )


def quiet_factor(timing: Timing) -> float:
    """Seconds of work per second of audio when each recording counts with its quickest round.

    What else runs on the machine only ever adds time, so this is nearest to an idle one.
    """
    done = {recording for one in timing.rounds for recording in one}
    if not done:
        return float("nan")
    quickest_s = sum(min(one[key] for one in timing.rounds if key in one) for key in done)
    return quickest_s / sum(timing.audio_s[key] for key in done)


def slowdown(timing: Timing, ours: Timing) -> Spread:
    """How many times longer than `ours` it took, round by round, over what both did."""
    ratios = []
    for theirs, our in zip(timing.rounds, ours.rounds, strict=True):
        if both := theirs.keys() & our.keys():
            ratios.append(sum(theirs[r] for r in both) / sum(our[r] for r in both))
    return spread(ratios)


def spread(values: list[float]) -> Spread:
    """Median, least and most; not a number when there is nothing.

    >>> spread([3.0, 1.0, 2.0])
    Spread(median=2.0, least=1.0, most=3.0)
    """
    if not values:
        return Spread(*[float("nan")] * 3)
    return Spread(statistics.median(values), min(values), max(values))


def save_timing(path: Path, timing: Timing) -> None:
    """Write `timing` whole or not at all."""
    save_text(path, json.dumps(dataclasses.asdict(timing), indent=1) + "\n")


def read_timing(path: Path) -> Timing:
    """Return what `save_timing` wrote."""
    return Timing(**json.loads(path.read_text()))
