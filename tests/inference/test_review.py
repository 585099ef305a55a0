"""What is worth a listen, by numbers done by hand; frames of half a second."""

import json

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline

from diarize.errors import BadCall
from diarize.formats.activity import Activity
from diarize.inference.review import Review, review
from diarize.inference.review_text import review_json, review_table, review_total, review_tsv

HOP_S = 0.5


def found(turns, regions=None, top=None, start_s=0.0, **posterior):
    """The review of turns (speaker, start, end), given a posterior a speaker."""
    annotation = Annotation()
    for track, (speaker, turn_start_s, end_s) in enumerate(turns):
        annotation[Segment(turn_start_s, end_s), track] = speaker
    rows = np.array(list(posterior.values()) or np.zeros((0, 4)), dtype=float)
    activity = Activity(rows, HOP_S, tuple(posterior), start_s)
    return review(activity, annotation, regions, top)


def only(result):
    (doubt,) = result.doubts
    return doubt


def test_a_turn_that_nobody_else_disputes_may_be_a_false_alarm():
    result = found([("ann", 0.5, 2)], ann=[0, 0.9, 0.5, 0.8, 0], bob=[0, 0, 0.1, 0, 0])
    doubt = only(result)
    assert (doubt.kind, doubt.speaker, doubt.other) == ("false alarm", "ann", None)
    assert (doubt.start_s, doubt.end_s) == (0.5, 2)
    assert doubt.expected_s == pytest.approx(0.5 * (0.1 + 0.5 + 0.2))
    assert doubt.probability == pytest.approx((0.9 + 0.5 + 0.8) / 3)
    assert result.expected_s == pytest.approx(doubt.expected_s)


def test_a_turn_with_a_runner_up_is_a_question_of_who_and_counts_once():
    result = found([("ann", 0, 1)], ann=[0.6, 0.5], bob=[0.3, 0.5], cid=[0.1, 0])
    doubt = only(result)
    assert (doubt.kind, doubt.speaker, doubt.other) == ("who", "ann", "bob")
    assert doubt.other_probability == pytest.approx(0.4)
    assert doubt.expected_s == pytest.approx(0.5 * (0.4 + 0.5))
    assert result.expected_s == pytest.approx(doubt.expected_s)


def test_probable_speech_where_nobody_was_written_may_be_missed():
    result = found([], ann=[0, 0.4, 0.3, 0], bob=[0, 0.2, 0, 0.05])
    doubt = only(result)
    assert (doubt.kind, doubt.speaker, doubt.other) == ("missed", "ann", None)
    assert (doubt.start_s, doubt.end_s) == (0.5, 1.5)
    assert doubt.probability == pytest.approx(0.35)
    assert doubt.expected_s == pytest.approx(0.5 * (0.4 + 0.2 + 0.3))
    assert result.expected_s == pytest.approx(doubt.expected_s + 0.5 * 0.05)
    assert result.listed_share == pytest.approx(0.45 / 0.475)


def test_a_second_speaker_who_was_not_written_may_be_missed_beside_the_first():
    result = found([("ann", 0, 2)], ann=[1, 1, 0.9, 1], bob=[0, 0.4, 0.4, 0])
    missed, turn = result.doubts
    assert (missed.kind, missed.speaker, missed.other) == ("missed", "bob", "ann")
    assert (missed.start_s, missed.end_s) == (0.5, 1.5)
    assert missed.other_probability == pytest.approx(0.95)
    # a tenth of bob's second half second is instead of ann, and is in her turn's account
    assert missed.expected_s == pytest.approx(0.5 * (0.4 + 0.3))
    assert (turn.kind, turn.other) == ("who", "bob")
    assert turn.expected_s == pytest.approx(0.5 * 0.1)
    assert result.expected_s == pytest.approx(0.5 * (0.4 + 0.4))


def test_two_who_were_both_written_do_not_stand_in_for_each_other():
    result = found([("ann", 0, 1), ("bob", 0, 1)], ann=[0.7, 0.7], bob=[0.9, 0.9])
    assert [doubt.kind for doubt in result.doubts] == ["false alarm", "false alarm"]
    assert result.expected_s == pytest.approx(0.3 + 0.1)


def test_the_greatest_gain_stands_first_and_the_list_ends_where_told():
    turns = [("ann", 0, 1), ("ann", 2, 3), ("ann", 4, 5)]
    posterior = [0.9, 0.9, 0, 0, 0.2, 0.2, 0, 0, 0.5, 0.5]
    result = found(turns, ann=posterior)
    assert [doubt.start_s for doubt in result.doubts] == [2, 4, 0]
    short = found(turns, top=2, ann=posterior)
    assert short.doubts == result.doubts[:2]
    assert (short.n_found, short.expected_s) == (3, pytest.approx(0.8 + 0.5 + 0.1))
    assert (short.listed_s, short.listed_share) == pytest.approx((1.3, 1.3 / 1.4))


def test_the_worst_moment_of_a_long_turn_is_told():
    sure = np.ones(40)
    sure[29:31] = 0.3
    assert only(found([("ann", 0, 20)], ann=sure)).worst_s == pytest.approx(15.0)
    assert only(found([("ann", 1, 1.5)], ann=0.5 * (np.arange(40) == 2))).worst_s == 1.25


def test_stretches_that_nearly_touch_are_one_and_a_wide_gap_parts_them():
    hop_s = 0.1
    row = np.zeros(20)
    row[[2, 3, 6, 7, 15]] = 0.5  # 0.2 s, then 0.7 s apart
    result = review(Activity(row[None], hop_s, ("ann",)), Annotation())
    spans = sorted((doubt.start_s, doubt.end_s) for doubt in result.doubts)
    np.testing.assert_allclose(spans, [(0.2, 0.8), (1.5, 1.6)])


def test_regions_leave_out_what_lies_elsewhere():
    regions = Timeline([Segment(1, 2)])
    posterior = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    doubt = only(found([("ann", 0, 3)], regions, ann=posterior))
    assert (doubt.start_s, doubt.end_s, doubt.expected_s) == (1, 2, 0.5)
    assert found([], regions, ann=[0.9, 0.9, 0, 0, 0.9, 0.9]).expected_s == 0


def test_frames_that_begin_later_keep_their_times():
    result = found([("ann", 10.5, 11)], start_s=10.0, ann=[0, 0.5, 0, 0.7])
    missed, turn = result.doubts
    assert (missed.start_s, missed.end_s) == (11.5, 12)
    assert (turn.start_s, turn.expected_s) == (10.5, 0.25)


def test_turns_of_one_speaker_that_overlap_count_once():
    result = found([("ann", 0, 1), ("ann", 0.5, 2)], ann=[0.5] * 4)
    doubt = only(result)
    assert (doubt.start_s, doubt.end_s) == (0, 2)
    assert doubt.expected_s == result.expected_s == 1.0


def test_what_is_certain_or_empty_is_worth_no_listen():
    for result in (found([("ann", 0, 1)], ann=[1, 1, 0]), found([])):
        assert result == Review((), 0, 0.0)
        assert result.listed_share == 1


def test_the_expected_error_is_the_real_one_where_the_posterior_is_right():
    generator = np.random.default_rng(0)
    sure = generator.choice([0.1, 0.3, 0.5, 0.8, 0.95], 20_000)
    turns = [("ann", *pair) for pair in spans_of(sure > 0.4)]
    result = found(turns, ann=sure)
    real = np.mean((generator.random(20_000) < sure) != (sure > 0.4))
    assert result.expected_s / (HOP_S * 20_000) == pytest.approx(real, abs=0.01)


def spans_of(active):
    edges = np.flatnonzero(np.diff(np.r_[0, active.astype(int), 0])).reshape(-1, 2)
    return (HOP_S * edges).tolist()


def test_a_list_of_nothing_and_a_stranger_are_refused():
    with pytest.raises(BadCall, match="top is 0"):
        found([], top=0, ann=[0.5])
    with pytest.raises(BadCall, match="turns of 'eve', but the posterior is of ann, bob"):
        found([("eve", 0, 1)], ann=[0.5], bob=[0.5])


@pytest.fixture
def example():
    turns = [("ann lee", 0, 1), ("bob", 60, 61)]
    sure = np.zeros(130)
    sure[:2], sure[4:6] = (0.5, 0.75), 0.4
    other = np.zeros(130)
    other[120:122], other[0] = 0.5, 0.5
    return found(turns, **{"ann lee": sure, "bob": other})


def test_the_table_shows_clock_times_the_kind_and_the_sum(example):
    assert review_table(example, "call").splitlines() == [
        "kind           from      to    hear  speaker     p        other     p  error s",
        "false alarm  1:00.0  1:01.0  1:00.5      bob  0.50                        0.50",
        "missed       0:02.0  0:03.0  0:02.5  ann_lee  0.40  over nobody           0.40",
        "who          0:00.0  0:01.0  0:00.5  ann_lee  0.62       or bob  0.25     0.38",
        "call: 1.3 s of error expected; 3 of 3 places listed hold 1.3 s (100 %)",
    ]
    nothing = Review((), 0, 0.0)
    assert review_table(nothing, "a b") == review_total(nothing, "a b") + "\n"


def test_tsv_and_json_say_the_same_as_the_table(example):
    head, *lines = (line.split("\t") for line in review_tsv(example, "call").splitlines())
    values = json.loads(review_json(example, "call"))
    assert values["expected_s"] == values["listed_s"] == 1.275
    assert values["n_found"] == 3
    assert head == ["recording", *values["places"][0]]
    for line, place, doubt in zip(lines, values["places"], example.doubts, strict=True):
        assert line[:3] == ["call", doubt.kind, f"{doubt.start_s:.3f}"]
        assert place["speaker"] == line[head.index("speaker")] == doubt.speaker
        assert place["other"] == doubt.other == (line[head.index("other")] or None)
        assert place["expected_s"] == float(line[head.index("expected_s")]) == doubt.expected_s
    assert json.loads(review_json(Review((), 0, 0.0), 'a "b"'))["places"] == []
