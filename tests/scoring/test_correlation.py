import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from diarize.errors import BadCall
from diarize.formats.activity import Activity
from diarize.scoring import frames
from diarize.scoring.correlation import speaker_correlations
from diarize.scoring.turns import turns_of


def turns(*records):
    return turns_of(
        Annotation.from_records(
            (Segment(s, e), i, label) for i, (s, e, label) in enumerate(records)
        )
    )


def scored(*regions):
    return np.array(regions, dtype=float).reshape(-1, 2)


def test_the_same_activity_correlates_fully():
    truth = turns((1, 2, "a"), (1.5, 4, "b"))
    found = turns((1, 2, 1), (1.5, 4, 2))
    assert speaker_correlations(truth, found, scored((0, 10)), {1: "a", 2: "b"}) == {
        "a": pytest.approx(1),
        "b": pytest.approx(1),
    }


def test_half_found_is_pearson_by_hand():
    # of 100 frames x has 50 ones and y 25 of them: (0.25 - 0.5 * 0.25) / sqrt(0.25 * 0.1875)
    truth, found = turns((0, 0.5, "a")), turns((0, 0.25, "a"))
    values = speaker_correlations(truth, found, scored((0, 1)), {"a": "a"})
    assert values["a"] == pytest.approx(0.125 / np.sqrt(0.25 * 0.1875))


def test_the_opposite_correlates_fully_below_zero():
    truth, found = turns((0, 5, "a")), turns((5, 10, "x"))
    values = speaker_correlations(truth, found, scored((0, 10)), {"x": "a"})
    assert values["a"] == pytest.approx(-1)


def test_a_speaker_without_a_match_counts_nothing():
    truth, found = turns((0, 5, "a"), (6, 7, "b")), turns((0, 5, 1))
    values = speaker_correlations(truth, found, scored((0, 10)), {1: "a"})
    assert values == {"a": pytest.approx(1), "b": 0.0}


def test_a_row_that_never_changes_counts_nothing_unless_both_are_the_same():
    throughout, partly = turns((0, 20, "a")), turns((0, 3, "a"))
    region, mapping = scored((0, 10)), {"a": "a"}
    assert speaker_correlations(throughout, throughout, region, mapping) == {"a": 1.0}
    assert speaker_correlations(throughout, partly, region, mapping) == {"a": 0.0}
    assert speaker_correlations(partly, throughout, region, mapping) == {"a": 0.0}
    unsure = Activity(np.full((1, 1000), 0.3), 0.01, ("a",))
    assert speaker_correlations(throughout, throughout, region, mapping, unsure) == {"a": 0.0}


def test_only_scored_frames_count():
    truth, found = turns((1, 2, "a"), (5, 9, "a")), turns((1, 2, "a"))
    assert speaker_correlations(truth, found, scored((0, 1.5), (1.7, 4)), {"a": "a"}) == {
        "a": pytest.approx(1)
    }


def test_a_speaker_not_heard_where_it_is_scored_has_no_entry():
    truth = turns((1, 2, "a"), (5, 9, "b"))
    assert set(speaker_correlations(truth, turns(), scored((0, 4)), {})) == {"a"}
    assert speaker_correlations(truth, turns(), scored(), {}) == {}


def test_a_posterior_is_taken_for_what_it_says():
    generator = np.random.default_rng(0)
    row = generator.random(100)
    posterior = Activity(np.stack([np.ones(100), row]), 0.01, ("other", "x"))
    truth, found = turns((0.2, 0.7, "a")), turns((0, 1, "x"))
    values = speaker_correlations(truth, found, scored((0, 1)), {"x": "a"}, posterior)
    active = (np.arange(100) >= 20) & (np.arange(100) < 70)
    assert values["a"] == pytest.approx(np.corrcoef(active, row)[0, 1])


@pytest.mark.parametrize(("hop_s", "start_s"), [(0.016, 0.0), (0.02, 0.1), (0.0025, 0.0)])
def test_a_posterior_of_another_hop_is_read_at_the_frames_centres(hop_s, start_s):
    row = np.random.default_rng(0).random(int(0.8 / hop_s))
    truth, found = turns((0.2, 0.7, "a")), turns((0, 1, "x"))
    posterior = Activity(row[None], hop_s, ("x",), start_s)
    values = speaker_correlations(truth, found, scored((0, 1)), {"x": "a"}, posterior)
    by_hand = []
    for frame in range(100):
        # in quarters of a millisecond, so that nothing is rounded
        place = (40 * frame + 20 - round(4000 * start_s)) // round(4000 * hop_s)
        by_hand.append(row[place] if 0 <= place < len(row) else 0.0)
    active = (np.arange(100) >= 20) & (np.arange(100) < 70)
    assert values["a"] == pytest.approx(np.corrcoef(active, by_hand)[0, 1])


def test_cutting_time_into_blocks_changes_nothing(monkeypatch):
    generator = np.random.default_rng(1)
    start = generator.random(20) * 9
    truth = turns(*((s, s + 0.5, "a") for s in start), (2, 3, "b"))
    found = turns(*((s + 0.1, s + 0.5, "x") for s in start), (2.2, 3, "y"))
    posterior = Activity(generator.random((2, 600)), 0.016, ("x", "y"))
    arguments = (truth, found, scored((0.5, 4), (5, 9.003)), {"x": "a", "y": "b"}, posterior)
    whole = speaker_correlations(*arguments)
    monkeypatch.setattr(frames, "FRAMES_AT_ONCE", 37)
    assert speaker_correlations(*arguments) == pytest.approx(whole)


def test_a_matched_speaker_must_have_a_row():
    truth, found = turns((0, 1, "a")), turns((0, 1, "x"))
    posterior = Activity(np.zeros((1, 100)), 0.01, ("y",))
    with pytest.raises(BadCall, match="no row for speaker 'x' in the posterior; it has y"):
        speaker_correlations(truth, found, scored((0, 2)), {"x": "a"}, posterior)
