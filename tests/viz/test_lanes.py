"""Lanes: order, colours, overlap, and times as people write them."""

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from diarize.viz.lanes import PALETTE, clock, envelope, lanes, overlaps, tick_times


def said(*turns):
    annotation = Annotation()
    for place, (start_s, end_s, speaker) in enumerate(turns):
        annotation[Segment(start_s, end_s), place] = speaker
    return annotation


def test_speakers_come_in_the_order_in_which_they_first_talk():
    found = lanes(said((5, 6, "a"), (1, 2, "b"), (0, 1, "c")))
    assert [lane.speaker for lane in found] == ["c", "b", "a"]
    assert [lane.hue for lane in found] == list(PALETTE[:3])


def test_turns_of_one_speaker_that_overlap_are_counted_once():
    (lane,) = lanes(said((0, 2, "a"), (1, 3, "a"), (4, 5, "a")))
    assert lane.turns.tolist() == [[0, 3], [4, 5]]
    assert lane.speech_s == 4


def test_a_reference_speaker_has_colour_and_place_of_whom_he_matches_best():
    found = lanes(said((0, 4, "x"), (4, 9, "y")))
    true = lanes(said((0.5, 1, "new"), (4, 8, "Ann"), (1, 4, "Bob")), like=found)
    assert [(lane.speaker, lane.colour) for lane in true] == [("Bob", 0), ("Ann", 1), ("new", 2)]


def test_a_colour_is_given_to_one_speaker_only():
    found = lanes(said((0, 10, "x")))
    true = lanes(said((0, 6, "Ann"), (6, 10, "Bob")), like=found)
    assert sorted(lane.colour for lane in true) == [0, 1]
    assert true[0].speaker == "Ann"


def test_colours_come_round_again_after_the_last():
    many = lanes(said(*((i, i + 1, f"s{i:02d}") for i in range(len(PALETTE) + 1))))
    assert many[-1].hue == many[0].hue


def test_overlap_is_where_more_than_one_talks():
    both = overlaps(said((0, 4, "a"), (3, 6, "b"), (3.5, 5, "c"), (6, 7, "a"), (8, 9, "a")))
    assert both.tolist() == [[3, 5]]


def test_turns_that_touch_do_not_overlap():
    assert overlaps(said((0, 1, "a"), (1, 2, "b"))).shape == (0, 2)


def test_nobody_gives_no_lanes():
    assert lanes(Annotation()) == []
    assert lanes(Annotation(), like=lanes(said((0, 1, "a")))) == []


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [(0.0, 0, "0:00"), (59.6, 0, "1:00"), (3599.96, 1, "1:00:00.0"), (7325.0, 0, "2:02:05")],
)
def test_a_clock_carries_what_it_rounds_up(seconds, decimals, text):
    assert clock(seconds, decimals) == text


@pytest.mark.parametrize("duration_s", [0.05, 0.3, 10.0, 30.0, 599.0, 7200.0, 259200.0])
def test_an_axis_of_any_length_has_a_few_round_times(duration_s):
    times, decimals = tick_times(duration_s)
    assert 1 <= len(times) <= 13
    assert times[0] == 0
    assert times[-1] <= duration_s * (1 + 1e-9)
    assert len({clock(time, decimals) for time in times}) == len(times)


def test_an_envelope_keeps_the_mean_of_every_stretch():
    means, step = envelope(np.array([0.0, 1.0, 1.0, 1.0, 0.5]), 3)
    assert step == 2
    assert means.tolist() == [0.5, 1.0, 0.5]
