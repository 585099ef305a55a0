"""Patterns scored by hand: exact, by class, by number; and as tables and JSON."""

import json
import math

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.scoring.grid import markdown
from diarize.scoring.image_tables import (
    class_grid,
    count_grid,
    image_grid,
    image_values,
    pattern_values,
    share_values,
    summary_grid,
)
from diarize.scoring.images import score_images
from diarize.scoring.patterns import Share, score_classes, score_patterns


def patterns(*rows, n_streams=4):
    drawn = np.zeros((len(rows), n_streams), bool)
    for pattern, row in zip(drawn, rows, strict=True):
        pattern[list(row)] = True
    return drawn


@pytest.fixture
def scores():
    true = patterns((0, 1), (0, 2), (), (1,))
    found = patterns((0, 1), (0, 1), (2,), (1,))
    return score_patterns(found, true)


def test_a_pattern_is_exact_only_as_a_whole(scores):
    assert scores.exact == Share(2, 4)
    assert scores.exact_of == {0: Share(0, 1), 1: Share(1, 1), 2: Share(1, 2)}


def test_each_class_has_its_own_rates(scores):
    zero, one, two, three = scores.classes
    assert (zero.precision, zero.recall, zero.f1) == (1, 1, 1)
    assert (one.n_true, one.n_found, one.n_both) == (2, 3, 2)
    assert (one.precision, one.recall, one.f1) == (2 / 3, 1, 0.8)
    assert (two.precision, two.recall, two.f1) == (0, 0, 0)
    assert all(math.isnan(value) for value in (three.precision, three.recall, three.f1))


def test_a_class_that_never_comes_up_is_not_in_the_mean(scores):
    assert scores.macro_f1 == pytest.approx((1 + 0.8 + 0) / 3)
    assert scores.micro_f1 == pytest.approx(2 * 4 / (5 + 6))


def test_numbers_are_counted_apart_from_which(scores):
    assert scores.count == Share(3, 4)
    assert scores.count_confusion == ((0, 1, 0), (0, 1, 0), (0, 0, 2))


def test_more_found_than_ever_are_there_widens_the_counts():
    scores = score_patterns(patterns((0, 1, 2)), patterns(()))
    assert scores.count_confusion == ((0, 0, 0, 1),)


def test_silence_found_as_silence_is_exact_and_has_no_f1():
    scores = score_patterns(patterns((), ()), patterns((), ()))
    assert scores.exact.rate == 1
    assert math.isnan(scores.macro_f1)
    assert math.isnan(scores.micro_f1)


def test_the_wilson_interval_by_hand():
    # u = 1.96^2 / 100: centre (0.9 + u/2) / (1 + u), half sqrt(0.09 u + u^2/4) / (1 + u)
    interval = Share(90, 100).interval
    assert (interval.low, interval.high) == pytest.approx((0.82563, 0.94477), abs=1e-5)


def test_the_wilson_interval_has_a_width_at_both_ends():
    z2 = 1.959963984540054**2
    all_right, none_right = Share(20, 20).interval, Share(0, 20).interval
    assert (all_right.low, all_right.high) == (pytest.approx(20 / (20 + z2)), 1)
    assert (none_right.low, none_right.high) == (0, pytest.approx(z2 / (20 + z2)))


def test_nothing_counted_has_no_rate():
    assert math.isnan(Share(0, 0).rate)
    assert Share(0, 0).interval is None


def test_the_most_probable_class_is_held_to_the_true_one():
    probabilities = np.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]])
    assert score_classes(probabilities, np.array([0, 1, 1])) == Share(2, 3)


@pytest.mark.parametrize(
    ("probabilities", "true", "message"),
    [
        (np.ones((2, 3)), [0], "found 1 true classes for 2 images"),
        (np.ones((0, 3)), [], "for 0 images"),
        (np.full((1, 3), np.nan), [0], "NaN"),
        (np.ones((1, 3)), [3], "expected 0 to 2"),
        (np.ones((1, 3)), [-1], "expected 0 to 2"),
    ],
)
def test_classes_that_cannot_be_scored_are_refused(probabilities, true, message):
    with pytest.raises(BadCall, match=message):
        score_classes(probabilities, np.array(true, int))


@pytest.mark.parametrize(
    ("found", "true", "names", "message"),
    [
        (patterns((0,)), patterns((0,), (1,)), None, "expected the same"),
        (patterns(), patterns(), None, "there must be one"),
        (patterns((0,)), patterns((0,)), ["a"], "1 names of classes for 4"),
    ],
)
def test_patterns_that_cannot_be_compared_are_refused(found, true, names, message):
    with pytest.raises(BadCall, match=message):
        score_patterns(found, true, names)


def test_all_goes_into_json_and_what_is_undefined_is_null(scores):
    values = json.loads(json.dumps(pattern_values(scores), allow_nan=False))
    assert values["exact"]["rate"] == 0.5
    assert values["exact_of"]["2"] == share_values(Share(1, 2))
    assert values["classes"][3]["f1"] is None
    assert values["count_confusion"] == [[0, 1, 0], [0, 1, 0], [0, 0, 2]]
    assert json.dumps(share_values(Share(0, 0))) == (
        '{"n_right": 0, "n": 0, "rate": null, "interval": null}'
    )


def test_exact_images_are_null_in_json_and_inf_in_the_table():
    images = np.full((2, 1, 8, 8), 0.5)
    scores = score_images(images, images)
    assert json.loads(json.dumps(image_values(scores), allow_nan=False))["psnr_db"] is None
    (row,) = image_grid({"K = 1": scores}).rows
    assert row == ("K = 1", "order", "2", "1", "inf", "-", "1.000", "1.000 to 1.000")


def test_tables_say_shares_in_percent_and_f1_as_fractions(scores):
    (row,) = summary_grid({"four": scores}).rows
    assert row == ("four", "4", "50.00", "15.00 to 85.00", "75.00", "0.600", "0.727")
    assert class_grid(scores).rows[1] == ("1", "2", "3", "0.667", "1.000", "0.800")
    assert count_grid(scores).rows[0] == ("0", "0", "1", "0")


def test_a_table_is_markdown_that_aligns_as_text(scores):
    lines = markdown(count_grid(scores)).splitlines()
    assert lines == [
        "| true \\ found |   0 |   1 |   2 |",
        "| ------------ | --: | --: | --: |",
        "| 0            |   0 |   1 |   0 |",
        "| 1            |   0 |   1 |   0 |",
        "| 2            |   0 |   0 |   2 |",
    ]
