import hashlib

import numpy as np
import pytest

from diarize.corpora.phrases import Spoken
from diarize.corpora.turn_taking import TurnTaking, take_turns
from diarize.errors import BadCall


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


@pytest.mark.parametrize(
    ("rules", "digest"),
    [
        ({}, "76a75f7e1e5ce8d7"),
        ({"overlap_share": 0.3}, "caa1b65a8967d892"),
        ({"overlap_share": 0.0}, "6747da6fa30aceb0"),
        ({"stay": 0.6, "silence": 0.3, "backchannels_per_min": 20.0}, "5a133699628bc32e"),
    ],
)
def test_settings_of_old_give_the_conversations_of_old(rules, digest):
    made = hashlib.sha256()
    for n_speakers in (1, 2, 4):
        for seed in range(3):
            placed = conversation(n_speakers, seed=seed, **rules)
            turns = [(one.speaker, one.start_s, one.spoken.spans) for one in placed]
            made.update(repr(turns).encode())
    assert made.hexdigest()[:16] == digest


def test_a_next_turn_begins_early_as_often_as_told():
    placed = conversation(
        2, 3000.0, interrupts=0.4, overlap_mean_s=0.5, stay=0.0, backchannels_per_min=0.0
    )
    ends_s = np.array([one.start_s + one.spoken.duration_s for one in placed])
    offsets_s = [one.start_s - end_s for one, end_s in zip(placed[1:], ends_s[:-1], strict=True)]
    assert np.mean(np.array(offsets_s) < 0) == pytest.approx(0.4, abs=0.05)


def test_ones_own_pauses_are_no_shorter_than_told():
    placed = conversation(1, 3000.0, own_pause_least_s=1.0, own_pause_mean_s=0.3, silence=0.0)
    starts_s = np.array([one.start_s for one in placed])
    pauses_s = starts_s[1:] - (starts_s + [one.spoken.duration_s for one in placed])[:-1]
    assert pauses_s.min() >= 0.999
    assert pauses_s.mean() == pytest.approx(1.3, abs=0.05)


def test_silences_and_turns_keep_to_their_ranges():
    placed = conversation(
        1,
        3000.0,
        silence=1.0,
        min_silence_s=8.0,
        max_silence_s=9.0,
        turn_spread=2.0,
        shortest_turn_s=1.0,
        longest_turn_s=4.0,
    )
    lengths_s = np.array([one.spoken.duration_s for one in placed])
    starts_s = np.array([one.start_s for one in placed])
    pauses_s = starts_s[1:] - (starts_s + lengths_s)[:-1]
    assert (pauses_s.min() + 1e-3 >= 8, pauses_s.max() <= 9.001) == (True, True)
    assert (lengths_s[:-1].min(), lengths_s.max()) == (1.0, 4.0)


def test_short_turns_come_in_rows_where_lengths_remember():
    for memory in (0.0, 0.6):
        placed = conversation(2, 4000.0, length_memory=memory, backchannels_per_min=0.0)
        logs = np.log([one.spoken.duration_s for one in placed])
        assert np.corrcoef(logs[1:], logs[:-1])[0, 1] == pytest.approx(memory, abs=0.08)


def test_words_beside_a_turn_lie_within_it_and_company_makes_three_at_once():
    rules = {
        "backchannels_per_min": 6.0,
        "backchannel_median_s": 0.5,
        "backchannel_spread": 0.6,
        "interrupts": 0.0,
    }
    at_once = {}
    for company in (0.0, 0.5):
        placed = conversation(4, 3000.0, company=company, **rules)
        starts_s = np.array([one.start_s for one in placed])
        ends_s = starts_s + [one.spoken.duration_s for one in placed]
        hosts = np.maximum.accumulate(ends_s)
        beside = ends_s[1:] <= hosts[:-1]
        inside = starts_s[1:][beside] < hosts[:-1][beside]
        assert inside.all()
        count = talking(placed, 3000.0)
        at_once[company] = np.mean(count >= 3)
        lengths_s = (ends_s - starts_s)[1:][beside]
        assert np.median(lengths_s) == pytest.approx(0.5, rel=0.15)
    assert at_once[0.5] > 3 * at_once[0.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"stay": 1.5},
        {"company": -0.1},
        {"length_memory": 1.0},
        {"shortest_turn_s": 20.0},
        {"min_silence_s": 7.0},
    ],
)
def test_rules_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(BadCall, match=next(iter(wrong))):
        TurnTaking(**wrong)
