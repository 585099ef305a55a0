"""How probable each voice is somebody, and each number of people."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.features.segmentation import HOP_S
from diarize.inference.counting import (
    KINDS,
    LEAST_S,
    CountSettings,
    evidence,
    number_posterior,
    somebody,
)
from diarize.inference.scenes import Cast

NOTHING = CountSettings(**dict.fromkeys(KINDS, 0.0))


def cast_of(profile, heard_s):
    profile = np.array(profile, np.float32)
    local = np.zeros((len(profile), 10), np.float32)
    return Cast(profile, np.array(heard_s, np.float32), local)


def test_evidence_is_what_can_be_told_by_hand():
    cast = cast_of([[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]], [4.0, 2.0, 1.0])
    presence = np.array([[1.0] * 10, [0.5] * 10, [0.0] * 10])
    found = evidence(cast, presence)
    assert found.shape == (3, len(KINDS))
    expected = np.log([[10 * HOP_S, 10 * HOP_S, 4], [5 * HOP_S, 2.5 * HOP_S, 2], [0.02, 0.02, 1]])
    np.testing.assert_allclose(found[:, [0, 1, 3]], expected, rtol=1e-6)
    # the first has nobody above him; the second is like him; the third is like nobody
    np.testing.assert_allclose(found[:, 2], [0, 0.6, 0], atol=1e-6)
    assert (found[:, 4] == 1).all()
    assert np.log(LEAST_S) == pytest.approx(expected[2, 0])


def test_of_two_equally_heard_voices_neither_has_a_rival():
    found = evidence(cast_of([[1.0, 0.0], [1.0, 0.0]], [3.0, 3.0]), np.ones((2, 10)))
    assert found[:, 2].tolist() == [0, 0]


def test_without_voices_there_is_no_evidence_and_nobody():
    cast = cast_of(np.zeros((0, 2)), [])
    probability = somebody(evidence(cast, np.zeros((0, 10))), CountSettings())
    assert probability.shape == (0,)
    assert number_posterior(probability) == {0: 1.0}


def test_settings_are_what_each_kind_adds_to_the_log_odds():
    cast = cast_of([[1.0, 0.0], [0.6, 0.8]], [4.0, 2.0])
    found = evidence(cast, np.full((2, 600), 0.5))
    assert somebody(found, NOTHING).tolist() == [0.5, 0.5]
    for kind, values in zip(KINDS, found.T, strict=True):
        probability = somebody(found, replace(NOTHING, **{kind: 2.0}))
        np.testing.assert_allclose(np.log(probability / (1 - probability)), 2 * values, atol=1e-6)


def test_more_talk_is_more_probably_somebody_and_a_likeness_less():
    cast = cast_of([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [9.0, 5.0, 5.0])
    much, little, again = somebody(
        evidence(cast, np.array([[0.9] * 300, [0.1] * 300, [0.1] * 300])), CountSettings()
    )
    assert 0 <= again < little < much <= 1


def test_odds_beyond_measure_stay_probabilities():
    found = np.array([[1e6, 0, 0, 0, 1], [-1e6, 0, 0, 0, 1]], float)
    probability = somebody(found, CountSettings())
    assert probability.tolist() == pytest.approx([1, 0], abs=1e-6)


def test_a_number_is_as_probable_as_all_the_ways_to_it():
    probability = np.array([0.9, 0.2, 0.5, 0.7])
    expected = dict.fromkeys(range(5), 0.0)
    for pattern in product((0, 1), repeat=4):
        is_on = np.array(pattern, bool)
        expected[sum(pattern)] += float(np.where(is_on, probability, 1 - probability).prod())
    assert number_posterior(probability) == pytest.approx(expected)


@pytest.mark.parametrize(("least", "most"), [(0, 4), (1, 20), (2, 3), (3, 3)])
def test_only_numbers_within_bounds_can_be_and_their_odds_stay(least, most):
    probability = np.array([0.9, 0.2, 0.5, 0.7])
    whole = number_posterior(probability)
    found = number_posterior(probability, least, most)
    assert list(found) == list(range(least, min(most, 4) + 1))
    assert sum(found.values()) == pytest.approx(1)
    for number, one in found.items():
        assert one / found[least] == pytest.approx(whole[number] / whole[least])


def test_if_there_are_fewer_voices_than_people_asked_for_all_are_people():
    assert number_posterior(np.array([0.1, 0.2]), 30, 30) == {2: 1.0}


def test_what_cannot_be_but_must_be_is_the_least():
    assert number_posterior(np.array([0.0, 0.0, 0.0]), 2, 3) == {2: 1.0, 3: 0.0}


def test_a_least_above_the_most_is_refused():
    with pytest.raises(BadCall, match="at least 3 speakers and at most 2"):
        number_posterior(np.array([0.5]), 3, 2)
