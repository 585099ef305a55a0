"""The Fréchet distance, on normal distributions whose distance is known."""

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.scoring.frechet import frechet_distance


def spread(values, deviations):
    """Data whose covariance is exactly diagonal, with these deviations."""
    whitened = values - values.mean(0)
    whitened = whitened @ np.linalg.inv(np.linalg.cholesky(np.cov(whitened.T))).T
    return whitened * deviations


def test_of_unequal_spread_it_is_the_square_of_the_difference_of_deviations():
    values = np.random.default_rng(0).normal(size=(50, 3))
    one, other = spread(values, [1.0, 2.0, 3.0]), spread(values, [2.0, 2.0, 5.0])
    assert frechet_distance(one, other) == pytest.approx(1 + 0 + 4)
    assert frechet_distance(one, other + np.array([1.0, 0.0, 2.0])) == pytest.approx(5 + 5)


def test_turned_together_the_distance_stays():
    chance = np.random.default_rng(1)
    one, other = chance.normal(size=(40, 4)), 2 * chance.normal(size=(60, 4)) + 1
    turn = np.linalg.qr(chance.normal(size=(4, 4)))[0]
    assert frechet_distance(one @ turn, other @ turn) == pytest.approx(frechet_distance(one, other))
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))


def test_a_dimension_that_never_changes_is_taken():
    still = np.concatenate([np.random.default_rng(2).normal(size=(9, 2)), np.ones((9, 1))], axis=1)
    assert frechet_distance(still, still + np.array([0.0, 0.0, 2.0])) == pytest.approx(4)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((5, 3)), "of 2 and of 3 dimensions"),
        (np.zeros((1, 2)), "5 and 1 embeddings"),
        (np.full((4, 2), np.nan), "NaN or infinite"),
    ],
)
def test_what_cannot_be_compared_is_refused(other, message):
    with pytest.raises(BadCall, match=message):
        frechet_distance(np.zeros((5, 2)), other)
