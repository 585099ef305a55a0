import numpy as np

from diarize.scoring.bootstrap import Interval, ratio_interval


def test_equal_recordings_leave_no_doubt():
    interval = ratio_interval(np.full(5, 2.0), np.full(5, 8.0), np.random.default_rng(0))
    assert interval == Interval(0.25, 0.25)


def test_one_recording_has_no_interval():
    assert ratio_interval(np.ones(1), np.ones(1), np.random.default_rng(0)) is None


def test_the_same_seed_gives_the_same_interval():
    errors, totals = np.arange(6.0), np.full(6, 10.0)
    first, second = (ratio_interval(errors, totals, np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert first.low < 0.25 < first.high


def test_half_right_and_half_wrong_is_a_binomial():
    # 100 recordings: the rate's deviation is 0.05, so 95 % lie within 0.098 of a half
    errors, totals = np.repeat([0.0, 1.0], 50), np.ones(100)
    interval = ratio_interval(errors, totals, np.random.default_rng(0))
    np.testing.assert_allclose([interval.low, interval.high], [0.402, 0.598], atol=0.02)


def test_a_long_recording_weighs_by_its_length():
    errors, totals = np.array([0.0, 1.0, 1.0]), np.array([998.0, 1.0, 1.0])
    interval = ratio_interval(errors, totals, np.random.default_rng(0))
    assert interval.low < 0.002
    assert interval.high == 1.0  # a draw may miss the long one


def test_draws_without_any_speech_count_as_wholly_wrong_if_they_have_errors():
    errors, totals = np.array([0.0, 3.0]), np.zeros(2)
    interval = ratio_interval(errors, totals, np.random.default_rng(0))
    assert interval == Interval(0.0, 1.0)
