"""Scores of latents and of views that were made: by hand, and on clouds made here."""

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.scoring.coherence import agreement, chance_agreement, coherence
from diarize.scoring.frechet import frechet_distance
from diarize.scoring.latent_classes import probabilities, read_classes, read_together


def clouds(n_each, apart, seed=0):
    chance = np.random.default_rng(seed)
    classes = np.repeat([0, 1, 2], n_each)
    return np.eye(3)[classes] * apart + chance.normal(size=(len(classes), 3)), classes


def test_classes_far_apart_are_told_and_chance_is_the_commonest():
    train, test = clouds(50, 20), clouds(30, 20, seed=1)
    found = read_classes(*train, *test)
    assert found.accuracy == 1.0
    assert found.chance == pytest.approx(1 / 3)
    assert found.n_test == 90
    assert (found.interval.low, found.interval.high) == (1.0, 1.0)


def test_latents_that_tell_nothing_are_read_no_better_than_chance():
    chance = np.random.default_rng(3)
    train, classes = chance.normal(size=(600, 2)), chance.integers(4, size=600)
    found = read_classes(train, classes, chance.normal(size=(600, 2)), chance.integers(4, size=600))
    assert found.accuracy == pytest.approx(0.25, abs=0.06)
    assert found.interval.low < 0.27


def test_data_of_no_known_class_are_left_out():
    train, test = clouds(50, 20), clouds(30, 20, seed=1)
    some = np.where(np.arange(90) < 60, test[1], -1)
    assert read_classes(*train, test[0], some).n_test == 60
    assert read_classes(*train, test[0], np.full(90, -1)) is None
    assert read_classes(train[0], np.full(150, -1), *test) is None


def test_views_together_tell_what_each_tells_half_of():
    (train, classes), (test, truth) = clouds(200, 6), clouds(100, 6, seed=1)
    some, others = [train[:, :1], train[:, 1:2]], [test[:, :1], test[:, 1:2]]
    alone = read_together(some[:1], classes, others[:1], truth)
    both = read_together(some, classes, others, truth)
    assert alone.accuracy == pytest.approx(2 / 3, abs=0.1)
    assert both.accuracy > 0.95
    assert read_together(some, np.full(600, -1), others, truth) is None


def test_classes_keep_their_numbers_where_some_are_not_in_training():
    train, test = clouds(50, 20), clouds(30, 20, seed=1)
    kept = train[1] != 1
    found = read_classes(train[0][kept], train[1][kept], *test)
    assert found.accuracy == pytest.approx(2 / 3)


def test_probabilities_of_standardised_latents_do_not_hang_on_their_unit():
    (train, classes), (test, _) = clouds(50, 2), clouds(30, 2, seed=1)
    unit = np.array([1.0, 1000.0, 0.001])
    found = [
        probabilities(one, classes, other, standardise=True)
        for one, other in ((train, test), (train * unit + 5, test * unit + 5))
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    np.testing.assert_allclose(found[0].sum(1), 1)


def test_what_cannot_be_read_is_refused():
    with pytest.raises(BadCall, match="of 1 class"):
        probabilities(np.ones((4, 2)), np.ones(4, int), np.ones((2, 2)))
    with pytest.raises(BadCall, match="NaN or infinite"):
        probabilities(np.full((4, 2), np.nan), np.arange(4), np.ones((2, 2)))


def test_coherence_is_the_share_of_images_that_show_what_they_should():
    found = np.array([[[1, 1], [1, 0]], [[2, 2], [2, 2]]])
    made = coherence(found, np.array([1, 2]))
    assert made.share == pytest.approx(7 / 8)
    assert made.n_made == 8
    with pytest.raises(BadCall, match="2 data made, 3 wanted"):
        coherence(found, np.array([1, 2, 3]))


def test_agreement_is_of_all_views_at_once_and_beats_chance_only_so():
    chance = np.random.default_rng(0)
    alone = chance.integers(10, size=(5000, 3))
    assert agreement(alone).share == pytest.approx(0.01, abs=0.006)
    assert chance_agreement(alone) == pytest.approx(0.01, abs=0.001)
    same = np.repeat(alone[:, :1], 3, axis=1)
    assert agreement(same).share == 1
    assert chance_agreement(same) == pytest.approx(0.01, abs=0.001)
    with pytest.raises(BadCall, match="samples of 1 views"):
        agreement(alone[:, :1])


def test_the_distance_of_two_clouds_is_known_where_they_are_round():
    chance = np.random.default_rng(0)
    some = chance.normal(size=(200_000, 2))
    others = 3 * chance.normal(size=(200_000, 2)) + [3, 4]
    # |m|^2 + sum of (spread differences)^2
    assert frechet_distance(some, others) == pytest.approx(25 + 2 * (3 - 1) ** 2, rel=0.02)


def test_the_distance_is_symmetric_zero_of_itself_and_blind_to_rotation():
    chance = np.random.default_rng(1)
    mix = chance.normal(size=(4, 4))
    some, others = chance.normal(size=(300, 4)) @ mix, chance.normal(size=(200, 4)) + 1
    turn = np.linalg.qr(chance.normal(size=(4, 4)))[0]
    apart = frechet_distance(some, others)
    assert frechet_distance(others, some) == pytest.approx(apart, rel=1e-6)
    assert frechet_distance(some @ turn, others @ turn) == pytest.approx(apart, rel=1e-6)
    assert frechet_distance(some, some) == pytest.approx(0, abs=1e-6)


def test_fewer_data_than_dimensions_still_have_a_distance():
    chance = np.random.default_rng(2)
    assert np.isfinite(frechet_distance(chance.normal(size=(5, 40)), chance.normal(size=(6, 40))))
    with pytest.raises(BadCall, match="of 2 and of 3 dimensions"):
        frechet_distance(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(BadCall, match="1 and 4 embeddings"):
        frechet_distance(np.ones((1, 2)), np.ones((4, 2)))
