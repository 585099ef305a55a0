"""Who takes the floor when: turns, pauses, overlaps and backchannels, drawn from statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from diarize.audio.io import RATE_HZ
from diarize.config import at_most
from diarize.corpora.phrases import Spoken
from diarize.errors import BadCall

FRAME_S = 0.01
LATE_OVERLAP_S = 2.0  # with more than that to catch up on, the floor changes hands
CATCH_UP_S = 2.0  # so much missing overlap makes the next one longer by a factor of e, the most
SHORTEST_BACKCHANNEL_S, SHORTEST_HOST_S = 0.15, 1.5
BREATH_S = 0.05  # the least pause before another's turn
Take = Callable[[float], Spoken]  # gives about that many seconds of one speaker


@dataclass(frozen=True)
class TurnTaking:
    """The statistics of a conversation; the defaults are of no corpus, `turn_statistics` measures.

    Turn lengths are log-normal with that median and that spread of the logarithm; pauses are
    exponential. A next turn begins before the end of the last as long as overlapped speech
    falls short of `overlap_share` of all time with speech. `stay` is the chance that the
    same person goes on after a pause, `silence` that a pause is a long one. Shares of the
    floor come from a Dirichlet distribution: a small `concentration` makes them unequal.
    """

    overlap_share: float = 0.1
    turn_median_s: float = 2.5
    turn_spread: float = 0.8
    pause_mean_s: float = 0.5
    stay: float = 0.25
    silence: float = 0.03
    backchannels_per_min: float = 3.0  # of a turn, within which they lie
    concentration: float = 4.0
    shortest_turn_s: float = 0.4
    longest_turn_s: float = 15.0
    length_memory: float = 0.0  # correlation of a turn's logarithm of length with the last one's
    own_pause_least_s: float = 0.05  # a shorter pause of one's own does not end the turn
    own_pause_mean_s: float | None = None  # what is beyond that; None: as before another's turn
    min_silence_s: float = 2.0
    max_silence_s: float = 6.0
    interrupts: float = 1.0  # chance that another's turn begins early, while overlap is missing
    overlap_mean_s: float | None = None  # early by that, exponential; None: by all that is missing
    backchannel_median_s: float | None = None  # log-normal; None: evenly from 0.25 to 0.8 s
    backchannel_spread: float = 0.0
    company: float = 0.0  # chance that a third person joins a backchannel, then a fourth

    def __post_init__(self) -> None:
        at_most(self, overlap_share=1, stay=1, silence=1, interrupts=1, company=1)
        if not -1 < self.length_memory < 1:
            raise BadCall(f"length_memory = {self.length_memory}; expected over -1 and under 1")
        for low, high, least in (
            ("shortest_turn_s", "longest_turn_s", 0.1),
            ("min_silence_s", "max_silence_s", 0.0),
        ):
            if not least <= getattr(self, low) <= getattr(self, high):
                raise BadCall(
                    f"{low} = {getattr(self, low)}, {high} = {getattr(self, high)}; "
                    f"expected {least:g} <= {low} <= {high}"
                )


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
        self._n_spoken = self._n_overlapped = 0  # of its frames

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
            talking = self._talking[round(first) : round(last)]
            self._n_spoken += int(np.count_nonzero(talking == 0))
            self._n_overlapped += int(np.count_nonzero(talking == 1))
            talking += 1

    def overlap_missing_s(self, share: float) -> float:
        """How much more overlap it takes to reach that share of all time with speech."""
        return FRAME_S * float(share * self._n_spoken - self._n_overlapped)

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
    holder, last_s, deviation = -1, 0.0, 0.0
    while duration_s - floor.end_s > 2 * rules.shortest_turn_s:
        missing_s = floor.overlap_missing_s(rules.overlap_share)
        is_late = missing_s >= LATE_OVERLAP_S and rules.overlap_mean_s is None
        stay = 0.0 if is_late else rules.stay
        speaker = _next_speaker(floor, holder, shares, stay, generator)
        news = np.sqrt(1 - rules.length_memory**2) * generator.normal()
        deviation = rules.length_memory * deviation + news
        wanted_s = rules.turn_median_s * np.exp(rules.turn_spread * deviation)
        left_s = (duration_s - floor.end_s) / max(1, len(floor.unheard()))
        longest_s = min(rules.longest_turn_s, max(left_s, rules.shortest_turn_s))
        spoken = takes[speaker](float(np.clip(wanted_s, rules.shortest_turn_s, longest_s)))
        over_s = 0.0
        if speaker != holder and holder >= 0:
            over_s = _over_s(missing_s, rules, generator)
        if over_s > 0:
            offset_s = -min(over_s, 0.85 * last_s, 0.9 * spoken.duration_s)
        else:
            offset_s = _pause_s(speaker == holder, rules, generator)
        before = len(floor.placed)
        floor.place(speaker, floor.end_s + offset_s, spoken)
        if len(floor.placed) == before:
            break
        holder, last_s = speaker, floor.placed[-1].spoken.duration_s
        if rules.overlap_share > 0:
            _backchannels(floor, takes, floor.placed[-1], rules, generator)
    return floor.placed


def _over_s(missing_s: float, rules: TurnTaking, generator: np.random.Generator) -> float:
    """By how much another's turn begins before the end of the last; 0: it does not."""
    if rules.interrupts < 1 and generator.random() >= rules.interrupts:
        return 0.0
    if rules.overlap_mean_s is None:
        return missing_s * generator.uniform(0.5, 1.5) if missing_s > 0.1 else 0.0
    factor = np.exp(np.clip(missing_s / CATCH_UP_S, -1, 1)) if rules.overlap_share > 0 else 0.0
    return float(factor * generator.exponential(rules.overlap_mean_s))


def _pause_s(is_own: bool, rules: TurnTaking, generator: np.random.Generator) -> float:
    """How long nobody has the floor before the next turn."""
    if generator.random() < rules.silence:
        return generator.uniform(rules.min_silence_s, rules.max_silence_s)
    if not is_own:
        return BREATH_S + generator.exponential(rules.pause_mean_s)
    mean_s = rules.pause_mean_s if rules.own_pause_mean_s is None else rules.own_pause_mean_s
    return rules.own_pause_least_s + generator.exponential(mean_s)


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
    n_words = int(generator.poisson(expected)) if length_s > SHORTEST_HOST_S else 0
    if rules.backchannel_median_s is None:
        for _ in range(n_words):
            start_s = turn.start_s + generator.uniform(0.3, length_s - 0.5)
            if free := _free(floor, turn.speaker, start_s):
                speaker = free[int(generator.integers(len(free)))]
                floor.place(speaker, start_s, takes[speaker](float(generator.uniform(0.25, 0.8))))
        return
    deviations = rules.backchannel_spread * generator.normal(size=n_words)
    short_s = rules.backchannel_median_s * np.exp(deviations)
    short_s = np.clip(short_s, SHORTEST_BACKCHANNEL_S, 0.9 * length_s)
    starts_s = turn.start_s + generator.uniform(0, 1, n_words) * (length_s - short_s)
    for at in np.argsort(starts_s):  # in time's order, for nobody is free before he spoke last
        start_s = float(starts_s[at])
        while free := _free(floor, turn.speaker, start_s):
            speaker = free[int(generator.integers(len(free)))]
            floor.place(speaker, start_s, takes[speaker](float(short_s[at])))
            if generator.random() >= rules.company:
                break
            start_s += float(generator.uniform(0, short_s[at]))


def _free(floor: _Floor, holder: int, start_s: float) -> list[int]:
    """Who may begin then: all but the holder of the floor and those who still talk."""
    others = [one for one in range(len(floor.free_s)) if one != holder]
    return [one for one in others if floor.free_s[one] < start_s]


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
