import numpy as np
import pytest

from diarize.corpora.phrases import Spoken
from diarize.corpora.turn_taking import TurnTaking, take_turns


def tone(wanted_s):
    """A speaker who says exactly as much as is asked for, on whole milliseconds."""
    n_ms = round(wanted_s * 1000)
    return Spoken(np.ones(n_ms * 16, np.float32), ((0.0, n_ms / 1000),))


def conversation(n_speakers, duration_s=120.0, seed=0, **rules):
    takes = [tone] * n_speakers
    return take_turns(takes, duration_s, TurnTaking(**rules), np.random.default_rng(seed))


def talking(placed, duration_s=120.0):
    """How many speak, at each millisecond."""
    count = np.zeros(round(duration_s * 1000), int)
    for one in placed:
        start = round(one.start_s * 1000)
        count[start : start + round(one.spoken.duration_s * 1000)] += 1
    return count


@pytest.mark.parametrize("aim", [0.0, 0.1, 0.2, 0.3, 0.4])
def test_the_share_of_overlap_is_reached(aim):
    shares = []
    for seed in range(3):
        count = talking(conversation(3, seed=seed, overlap_share=aim))
        shares.append(np.mean(count[count > 0] > 1))
    assert np.mean(shares) == pytest.approx(aim, abs=0.05 if aim > 0.25 else 0.02)


@pytest.mark.parametrize("n_speakers", [1, 2, 5, 8])
def test_everyone_is_heard_and_nobody_talks_over_himself(n_speakers):
    for seed in range(3):
        placed = conversation(n_speakers, 60.0, seed, overlap_share=0.3)
        assert {one.speaker for one in placed} == set(range(n_speakers))
        for speaker in range(n_speakers):
            own = [one for one in placed if one.speaker == speaker]
            assert talking(own, 60.0).max() == 1


def test_all_of_it_lies_within_the_recording():
    placed = conversation(4, 30.0, overlap_share=0.2)
    assert min(one.start_s for one in placed) >= 0
    ends_s = [one.start_s + one.spoken.duration_s for one in placed]
    assert 25.0 < max(ends_s) <= 30.0


def test_a_monologue_has_pauses_of_the_wanted_mean():
    placed = conversation(1, 3000.0, pause_mean_s=0.8, silence=0.0)
    starts = np.array([one.start_s for one in placed])
    ends = starts + [one.spoken.duration_s for one in placed]
    assert np.mean(starts[1:] - ends[:-1]) == pytest.approx(0.85, abs=0.1)


def test_turn_lengths_have_the_wanted_median():
    placed = conversation(2, 3000.0, overlap_share=0.0, turn_median_s=3.0)
    assert np.median([one.spoken.duration_s for one in placed]) == pytest.approx(3.0, rel=0.15)


def test_backchannels_are_short_and_lie_within_turns_of_others():
    rules = {"overlap_share": 0.05, "backchannels_per_min": 12.0}
    count = {True: 0, False: 0}
    for with_them in (True, False):
        if not with_them:
            rules["backchannels_per_min"] = 0.0
        placed = conversation(2, 600.0, **rules)
        count[with_them] = sum(one.spoken.duration_s < 0.8 for one in placed)
    assert count[True] > count[False] + 20


def test_the_same_seed_gives_the_same_turns():
    first, again, other = (
        [(one.speaker, one.start_s) for one in conversation(3, seed=seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
