"""The simulator's settings that say what was measured on references.

`as_settings(measure(read_rttm("train.rttm").values()))` is all it takes; what it gave for the AMI
meetings stands written out in `egs/simulated/conf/ami_turns.toml`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diarize.corpora.simulated import SimulatedSettings
from diarize.corpora.turn_statistics import SILENCE_S, TurnStatistics
from diarize.corpora.turn_taking import BREATH_S, TurnTaking


def as_turn_taking(measured: TurnStatistics) -> TurnTaking:
    """The rules by which `take_turns` makes such conversations, numbers rounded to two decimals.

    They are not the statistics themselves where one brings about another: an exponential pause
    may be a long one, and a backchannel may fall on one that is there by chance.
    """
    pause_s = max(measured.pause_mean_s - BREATH_S / np.log(2), 0.01)  # of the same median
    own_s = max(measured.own_pause_mean_s, 0.01)
    n_own, n_others = measured.stay, (1 - measured.stay) * (1 - measured.interrupts)
    tail_own = np.exp(-max(SILENCE_S - measured.own_pause_least_s, 0.0) / own_s)
    tail = n_own * tail_own + n_others * np.exp(-(SILENCE_S - BREATH_S) / pause_s)
    tail /= max(n_own + n_others, 1e-9)
    beside_mean_s = measured.beside_median_s * np.exp(measured.beside_spread**2 / 2)
    company = max(0.0, measured.company - measured.beside_per_min * beside_mean_s / 60)
    rules = TurnTaking(
        overlap_share=measured.overlap_share,
        turn_median_s=measured.turn_median_s,
        turn_spread=measured.turn_spread,
        pause_mean_s=pause_s,
        stay=measured.stay,
        silence=max(0.0, (measured.silence - tail) / (1 - tail)),
        backchannels_per_min=measured.beside_per_min * (1 - company),
        concentration=measured.concentration,
        shortest_turn_s=0.2,
        longest_turn_s=max(measured.turn_longest_s, 0.2),
        length_memory=measured.length_memory,
        own_pause_least_s=measured.own_pause_least_s,
        own_pause_mean_s=own_s,
        min_silence_s=SILENCE_S,
        max_silence_s=max(2 * measured.silence_mean_s - SILENCE_S, SILENCE_S),
        interrupts=measured.interrupts,
        overlap_mean_s=measured.overlap_mean_s,
        backchannel_median_s=measured.beside_median_s,
        backchannel_spread=measured.beside_spread,
        company=company,
    )
    rounded = {name: round(float(value), 2) for name, value in vars(rules).items()}
    return replace(rules, **rounded)


def as_settings(
    measured: TurnStatistics, settings: SimulatedSettings | None = None
) -> SimulatedSettings:
    """`settings` (by default the simulator's own) with all that was measured put in."""
    low, high = (round(min(share, 0.4), 2) for share in measured.overlap_range)
    return replace(
        settings or SimulatedSettings(),
        min_speakers=measured.speakers_range[0],
        max_speakers=measured.speakers_range[1],
        min_overlap=low,
        max_overlap=high,
        backchannels_follow=True,
        turns=as_turn_taking(measured),
    )
