"""Who takes the floor when: turns, pauses, overlaps and backchannels, drawn from statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from diarize.audio.io import RATE_HZ
from diarize.corpora.phrases import Spoken

FRAME_S = 0.01
SHORTEST_TURN_S, LONGEST_TURN_S = 0.4, 15.0
LATE_OVERLAP_S = 2.0  # with more than that to catch up on, the floor changes hands
Take = Callable[[float], Spoken]  # gives about that many seconds of one speaker


@dataclass(frozen=True)
class TurnTaking:
    """The statistics of a conversation.

    Turn lengths are log-normal with that median and that spread of the logarithm; pauses are
    exponential. A next turn begins before the end of the last as long as overlapped speech
    falls short of `overlap_share` of all time with speech. `stay` is the chance that the
    same person goes on after a pause, `silence` that a pause is 2 to 6 s long. Shares of the
    floor come from a Dirichlet distribution: a small `concentration` makes them unequal.
    """

    overlap_share: float = 0.1
    turn_median_s: float = 2.5
    turn_spread: float = 0.8
    pause_mean_s: float = 0.5
    stay: float = 0.25
    silence: float = 0.03
    backchannels_per_min: float = 3.0
    concentration: float = 4.0


@dataclass(frozen=True)
class Placed:
    """A stretch of speech by a speaker (by number), and when it begins."""

    speaker: int
    start_s: float
    spoken: Spoken


class _Floor:
    """What has been said so far."""

    def __init__(self, n_speakers: int, duration_s: float) -> None:
        self.duration_s = duration_s
        self.placed: list[Placed] = []
        self.free_s = np.zeros(n_speakers)  # from when on each speaker may begin again
        self.end_s = 0.0
        self._talking = np.zeros(round(duration_s / FRAME_S) + 1, np.int16)

    def place(self, speaker: int, start_s: float, spoken: Spoken) -> None:
        start_s = round(max(start_s, float(self.free_s[speaker]), 0.0), 3)
        spoken = _cut(spoken, self.duration_s - start_s)
        if not spoken.spans:
            return
        self.placed.append(Placed(speaker, start_s, spoken))
        self.free_s[speaker] = max(self.free_s[speaker], start_s + spoken.duration_s + 0.1)
        self.end_s = max(self.end_s, start_s + spoken.duration_s)
        for start, end in spoken.spans:
            first, last = ((start_s + time_s) / FRAME_S for time_s in (start, end))
            self._talking[round(first) : round(last)] += 1

    def overlap_missing_s(self, share: float) -> float:
        """How much more overlap it takes to reach that share of all time with speech."""
        return FRAME_S * float(
            share * np.count_nonzero(self._talking) - np.count_nonzero(self._talking > 1)
        )

    def unheard(self) -> list[int]:
        heard = {one.speaker for one in self.placed}
        return [speaker for speaker in range(len(self.free_s)) if speaker not in heard]


def take_turns(
    takes: Sequence[Take], duration_s: float, rules: TurnTaking, generator: np.random.Generator
) -> list[Placed]:
    """A conversation of all speakers that fills `duration_s` seconds, in the order it is made.

    Every speaker is heard, if there is time for a short turn each. Nobody talks over himself.
    """
    floor = _Floor(len(takes), duration_s)
    shares = generator.dirichlet(np.full(len(takes), rules.concentration))
    floor.end_s = min(float(generator.exponential(rules.pause_mean_s)), duration_s / 4)
    holder, last_s = -1, 0.0
    while duration_s - floor.end_s > 2 * SHORTEST_TURN_S:
        missing_s = floor.overlap_missing_s(rules.overlap_share)
        stay = rules.stay if missing_s < LATE_OVERLAP_S else 0.0
        speaker = _next_speaker(floor, holder, shares, stay, generator)
        wanted_s = rules.turn_median_s * np.exp(rules.turn_spread * generator.normal())
        left_s = (duration_s - floor.end_s) / max(1, len(floor.unheard()))
        longest_s = min(LONGEST_TURN_S, max(left_s, SHORTEST_TURN_S))
        spoken = takes[speaker](float(np.clip(wanted_s, SHORTEST_TURN_S, longest_s)))
        if speaker != holder and holder >= 0 and missing_s > 0.1:
            over_s = missing_s * generator.uniform(0.5, 1.5)
            offset_s = -min(over_s, 0.85 * last_s, 0.9 * spoken.duration_s)
        elif generator.random() < rules.silence:
            offset_s = generator.uniform(2, 6)
        else:
            offset_s = 0.05 + generator.exponential(rules.pause_mean_s)
        before = len(floor.placed)
        floor.place(speaker, floor.end_s + offset_s, spoken)
        if len(floor.placed) == before:
            break
        holder, last_s = speaker, floor.placed[-1].spoken.duration_s
        if rules.overlap_share > 0:
            _backchannels(floor, takes, floor.placed[-1], rules, generator)
    return floor.placed


def _next_speaker(
    floor: _Floor,
    holder: int,
    shares: Float[np.ndarray, " speaker"],
    stay: float,
    generator: np.random.Generator,
) -> int:
    unheard = floor.unheard()
    if unheard and floor.duration_s - floor.end_s < 6.0 * len(unheard):
        return unheard[0]
    if len(shares) == 1 or (holder >= 0 and generator.random() < stay):
        return max(holder, 0)
    weights = shares + 1e-3
    if holder >= 0:
        weights[holder] = 0.0
    return int(generator.choice(len(shares), p=weights / weights.sum()))


def _backchannels(
    floor: _Floor,
    takes: Sequence[Take],
    turn: Placed,
    rules: TurnTaking,
    generator: np.random.Generator,
) -> None:
    """Short words of others during a turn."""
    length_s = turn.spoken.duration_s
    expected = rules.backchannels_per_min * length_s / 60
    for _ in range(int(generator.poisson(expected)) if length_s > 1.5 else 0):
        others = [one for one in range(len(takes)) if one != turn.speaker]
        start_s = turn.start_s + generator.uniform(0.3, length_s - 0.5)
        free = [one for one in others if floor.free_s[one] < start_s]
        if free:
            speaker = free[int(generator.integers(len(free)))]
            floor.place(speaker, start_s, takes[speaker](float(generator.uniform(0.25, 0.8))))


def _cut(spoken: Spoken, longest_s: float) -> Spoken:
    """`spoken`, no longer than that: the end of the recording cuts in where it must."""
    if spoken.duration_s <= longest_s:
        return spoken
    longest_ms = max(0, int(longest_s * 1000))
    spans = tuple(
        (start, min(end, longest_ms / 1000))
        for start, end in spoken.spans
        if start < longest_ms / 1000
    )
    return Spoken(spoken.samples[: longest_ms * RATE_HZ // 1000], spans)
