"""A conversation that needs no recording at all: two synthetic talkers in a quiet room."""

from __future__ import annotations

from functools import partial

import numpy as np

from diarize.audio.frames import to_samples
from diarize.audio.io import RATE_HZ
from diarize.corpora.acoustics import Acoustics
from diarize.corpora.conversation import Conversation, heard, overlap_share, truth
from diarize.corpora.synthetic_voice import HIGH, LOW, speak
from diarize.corpora.turn_taking import TurnTaking, take_turns

RULES = TurnTaking(
    overlap_share=0.06,
    turn_median_s=3.5,
    turn_spread=0.4,
    pause_mean_s=1.0,
    stay=0.15,
    silence=0.15,
    backchannels_per_min=1.0,
    concentration=20.0,
)
QUIET = Acoustics(
    level_spread_db=1.0,
    min_dbfs=-24.0,
    max_dbfs=-24.0,
    room_probability=1.0,
    min_room_s=0.15,
    max_room_s=0.25,
    telephone_probability=0.0,
    min_snr_db=35.0,
    max_snr_db=35.0,
)


def synthetic_conversation(
    seed: int = 0, duration_s: float = 40.0, recording: str = "synthetic"
) -> Conversation:
    """A low and a high voice in turn, with some overlap; the same seed gives the same samples.

    Its truth is exact, for every syllable was placed. No licence binds it: nobody spoke.
    """
    generator = np.random.default_rng(seed)
    talkers = (LOW, HIGH)
    takes = [
        partial(speak, talker, generator=own)
        for talker, own in zip(talkers, generator.spawn(len(talkers)), strict=True)
    ]
    placed = take_turns(takes, duration_s, RULES, generator)
    n_samples = to_samples(duration_s, RATE_HZ)
    samples, facts = heard(placed, n_samples, (), (), QUIET, generator)
    reference = truth(placed, [talker.name for talker in talkers], recording)
    facts |= {"overlap": round(overlap_share(reference), 4)}
    return Conversation(recording, samples, RATE_HZ, reference, seed, facts)
