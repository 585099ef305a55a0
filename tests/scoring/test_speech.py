import math

from diarize.scoring.speech import (
    SpeakerCount,
    correct_share,
    exact_share,
    mean_count_error,
    missed_speech_rate,
)


def test_missed_and_correct_are_shares_of_the_reference():
    parts = {"total": 20.0, "missed detection": 5.0, "confusion": 3.0, "correct": 12.0}
    assert missed_speech_rate(parts) == 0.25
    assert correct_share(parts) == 0.6


def test_where_nobody_speaks_nothing_is_missed_and_correct_has_no_meaning():
    parts = {"total": 0.0, "missed detection": 0.0, "correct": 0.0}
    assert missed_speech_rate(parts) == 0.0
    assert math.isnan(correct_share(parts))


def test_counts_are_compared_by_recording():
    counts = [SpeakerCount(2, 2), SpeakerCount(2, 4), SpeakerCount(3, 2), SpeakerCount(0, 0)]
    assert [count.error for count in counts] == [0, 2, -1, 0]
    assert exact_share(counts) == 0.5
    assert mean_count_error(counts) == 0.75
    assert math.isnan(exact_share([]))
    assert math.isnan(mean_count_error([]))
