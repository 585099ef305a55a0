"""How people take turns, measured on references.

Turns fall into two kinds. One that lies wholly within another speaker's turn is said beside it (a
backchannel, mostly); all others follow one another on the floor, each beginning and ending later
than the last, so that between two of them there is either a pause or an overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from diarize.corpora.turn_fits import (
    concentration,
    exponential_mean_s,
    following_weights,
    log_normal,
)
from diarize.errors import BadCall

if TYPE_CHECKING:
    from pyannote.core import Annotation

BACKCHANNEL_S = 1.0  # a turn within another's is a backchannel if it is shorter
SILENCE_S = 4.0  # a pause as long is a silence, and no part of the exponential fit
MOST_AT_ONCE = 4
LOW, HIGH = 5, 95  # percentiles of what a range is to hold


@dataclass(frozen=True)
class TurnStatistics:
    """What references say of turn-taking, over all recordings unless "a recording" is said.

    A recording lasts from its first boundary to its last. Medians and spreads (of the natural
    logarithm) are those of the log-normal distribution of greatest likelihood; a mean of pauses
    is that of the exponential distribution with their median, for a few are very long.
    """

    n_recordings: int
    n_turns: int
    duration_s: float
    at_once: tuple[float, ...]  # shares of the time with 0, 1, 2, 3, 4 or more speakers
    overlap_share: float  # of all time with speech
    overlap_range: tuple[float, float]  # of a recording, from the 5th to the 95th percentile
    speakers_range: tuple[int, int]  # the same of the number of speakers
    turn_median_s: float  # of turns on the floor, as all that follows up to `silence_max_s`
    turn_spread: float
    turn_longest_s: float  # the 99th percentile
    length_memory: float  # correlation of successive logarithms, a recording's mean taken off
    stay: float  # share of turns after which the same speaker goes on
    interrupts: float  # share of changes of speaker that overlap
    overlap_mean_s: float  # of those
    pause_mean_s: float  # before another's turn
    own_pause_least_s: float  # the 10th percentile before one's own
    own_pause_mean_s: float  # what is beyond that
    silence: float  # share of pauses of 4 s and more
    silence_mean_s: float
    beside_per_min: float  # turns within another's, in a minute of turns on the floor
    beside_median_s: float
    beside_spread: float
    company: float  # share of them that begin during another one
    backchannels_per_min: float  # those under 1 s, in a minute of recording
    shares: tuple[float, ...]  # of the speech, from who speaks most, where speakers are as many
    concentration: float  # of the Dirichlet distribution from which shares of the floor come

    @property
    def silence_share(self) -> float:
        """How much of the time nobody speaks, 0 to 1."""
        return self.at_once[0]


@dataclass(frozen=True)
class _Recording:
    """One recording's turns: start, end and speaker of each, in order of their starts."""

    spans: Float[np.ndarray, "turn 2"]
    speaker: Int[np.ndarray, " turn"]
    beside: Int[np.ndarray, " turn"]  # the turn in which it lies, or -1

    @property
    def n_speakers(self) -> int:
        return int(self.speaker.max()) + 1

    @property
    def floor(self) -> Int[np.ndarray, " turn"]:
        return np.flatnonzero(self.beside < 0)

    @property
    def lengths_s(self) -> Float[np.ndarray, " turn"]:
        return self.spans[:, 1] - self.spans[:, 0]


def measure(references: Iterable[Annotation], bridged_s: float = 0.0) -> TurnStatistics:
    """How people take turns in these recordings; those without speech are passed over.

    A speaker's turns that are nearer to each other than `bridged_s` count as one: references
    differ in how long a pause ends a turn (in AMI's it is about a second).

    Raises:
        BadCall: they hold too little to measure any of it.
    """
    found = [one for one in (_sorted(one, bridged_s) for one in references) if len(one.spans)]
    own, others = _offsets(found, is_own=True), _offsets(found, is_own=False)
    beside = _together(found, lambda one: one.lengths_s[one.beside >= 0])
    floor = _together(found, lambda one: one.lengths_s[one.floor])
    if len(others) < 2:
        raise BadCall(
            f"too few turns to measure: the speaker changes {len(others)} times; "
            "give references of some minutes of conversation"
        )
    at_once = np.sum([_at_once(one) for one in found], axis=0)
    overlaps = [_overlap_share(_at_once(one)) for one in found]
    n_speakers = [float(one.n_speakers) for one in found]
    pauses = others[others >= 0]
    gaps = np.concatenate([own, pauses])
    is_long = gaps >= SILENCE_S
    least_s = float(np.percentile(own, 10)) if len(own) else 0.0
    turn_median_s, turn_spread = log_normal(floor)
    beside_median_s, beside_spread = log_normal(beside)
    return TurnStatistics(
        n_recordings=len(found),
        n_turns=sum(len(one.spans) for one in found),
        duration_s=float(at_once.sum()),
        at_once=tuple((at_once / at_once.sum()).tolist()),
        overlap_share=_overlap_share(at_once),
        overlap_range=_range(overlaps),
        speakers_range=(round(_range(n_speakers)[0]), round(_range(n_speakers)[1])),
        turn_median_s=turn_median_s,
        turn_spread=turn_spread,
        turn_longest_s=float(np.percentile(floor, 99)),
        length_memory=_memory(found),
        stay=len(own) / (len(own) + len(others)),
        interrupts=float((others < 0).mean()),
        overlap_mean_s=float(-others[others < 0].mean()) if (others < 0).any() else 0.0,
        pause_mean_s=exponential_mean_s(pauses[pauses < SILENCE_S]),
        own_pause_least_s=max(least_s, 0.0),
        own_pause_mean_s=exponential_mean_s(own[(own >= least_s) & (own < SILENCE_S)] - least_s),
        silence=float(is_long.mean()),
        silence_mean_s=float(gaps[is_long].mean()) if is_long.any() else SILENCE_S,
        beside_per_min=60 * len(beside) / float(floor.sum()),
        beside_median_s=beside_median_s,
        beside_spread=beside_spread,
        company=_company(found),
        backchannels_per_min=60 * float((beside < BACKCHANNEL_S).sum() / at_once.sum()),
        shares=_shares(found),
        concentration=_concentration(found),
    )


def _sorted(reference: Annotation, bridged_s: float) -> _Recording:
    """Its turns in order, and in whose turn each lies; one longer than its host is none of its."""
    turns = sorted(
        (float(turn.start), -float(turn.end), number)
        for number, label in enumerate(reference.labels())
        for turn in reference.label_timeline(label).support(bridged_s)
    )
    spans = np.array([(start, -end) for start, end, _ in turns]).reshape(-1, 2)
    speaker = np.array([number for *_, number in turns], dtype=int)
    beside = np.full(len(turns), -1)
    host = 0
    for turn in range(1, len(turns)):  # who ends last so far is a host to all that end before
        if spans[turn, 1] <= spans[host, 1]:
            beside[turn] = host
        else:
            host = turn
    return _Recording(spans, speaker, beside)


def _together(
    found: Sequence[_Recording], part: Callable[[_Recording], Float[np.ndarray, " value"]]
) -> Float[np.ndarray, " value"]:
    return np.concatenate([np.zeros(0), *map(part, found)])


def _offsets(found: Sequence[_Recording], is_own: bool) -> Float[np.ndarray, " turn"]:
    """From the end of one turn on the floor to the start of the next, where the speaker stays."""

    def of(one: _Recording) -> Float[np.ndarray, " turn"]:
        spans, speaker = one.spans[one.floor], one.speaker[one.floor]
        stays = speaker[1:] == speaker[:-1]
        return (spans[1:, 0] - spans[:-1, 1])[stays if is_own else ~stays]

    return _together(found, of)


def _at_once(one: _Recording) -> Float[np.ndarray, " number"]:
    """For how many seconds nobody, one, two, three, or more speak."""
    times = one.spans.ravel(order="F")
    steps = np.repeat([1, -1], len(one.spans))
    order = np.argsort(times, kind="stable")
    number = np.minimum(np.cumsum(steps[order])[:-1], MOST_AT_ONCE)
    return np.bincount(number, np.diff(times[order]), MOST_AT_ONCE + 1)


def _overlap_share(at_once: Float[np.ndarray, " number"]) -> float:
    return float(at_once[2:].sum() / at_once[1:].sum())


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [LOW, HIGH]).tolist()
    return low, high


def _memory(found: Sequence[_Recording]) -> float:
    """The correlation of the lengths of turns that follow one another."""
    product = square = 0.0
    for one in found:
        logs = np.log(one.lengths_s[one.floor])
        logs -= logs.mean()
        product += float((logs[1:] * logs[:-1]).sum())
        square += float((logs[1:] ** 2).sum())
    return product / square if square else 0.0


def _company(found: Sequence[_Recording]) -> float:
    """The share of turns beside another that begin while an earlier such one goes on."""
    joined = total = 0
    for one in found:
        spans = one.spans[one.beside >= 0]
        total += len(spans)
        latest = np.maximum.accumulate(spans[:, 1])
        joined += int((spans[1:, 0] < latest[:-1]).sum())
    return joined / total if total else 0.0


def _shares(found: Sequence[_Recording]) -> tuple[float, ...]:
    """Mean shares of the speech from the greatest on, in recordings of the usual size."""
    usual = int(np.median([one.n_speakers for one in found]))
    speech = [np.bincount(one.speaker, one.lengths_s) for one in found if one.n_speakers == usual]
    ranked = [np.sort(one)[::-1] / one.sum() for one in speech]
    return tuple(np.mean(ranked, axis=0).tolist()) if ranked else ()


def _concentration(found: Sequence[_Recording]) -> float:
    turns = [np.bincount(one.speaker[one.floor], minlength=one.n_speakers) for one in found]
    return concentration([following_weights(one) for one in turns if len(one) > 1])
