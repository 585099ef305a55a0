"""PSNR and SSIM against sums written out pixel by pixel, and which image is held to which."""

import math

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.scoring.images import (
    best_permutation,
    in_range,
    of_classes,
    psnr_db,
    score_images,
    ssim,
)


@pytest.fixture
def random():
    return np.random.default_rng(5)


def ssim_written_out(x, y):
    """Every window by itself: mean, and variance over one less than there are pixels."""
    c1, c2 = 0.0001, 0.0009
    values = []
    for row in range(x.shape[0] - 6):
        for column in range(x.shape[1] - 6):
            a = [float(v) for v in x[row : row + 7, column : column + 7].ravel()]
            b = [float(v) for v in y[row : row + 7, column : column + 7].ravel()]
            p, q = math.fsum(a) / 49, math.fsum(b) / 49
            va = math.fsum((v - p) ** 2 for v in a) / 48
            vb = math.fsum((v - q) ** 2 for v in b) / 48
            both = math.fsum((v - p) * (w - q) for v, w in zip(a, b, strict=True)) / 48
            values.append(
                (2 * p * q + c1) * (2 * both + c2) / ((p * p + q * q + c1) * (va + vb + c2))
            )
    return math.fsum(values) / len(values)


def test_ssim_is_the_mean_over_windows_written_out(random):
    x, y = random.random((2, 3, 11, 9))
    expected = [ssim_written_out(a, b) for a, b in zip(x, y, strict=True)]
    assert ssim(x, y) == pytest.approx(expected, abs=1e-12)


def test_ssim_of_one_window_by_hand():
    # x is 1 in 24 of 49 pixels, y is its opposite: means 24/49 and 25/49, covariance -variance
    x = (np.arange(49) < 24).astype(float).reshape(7, 7)
    p, variance = 24 / 49, 24 * 25 / 49 / 48
    level = (2 * p * (1 - p) + 1e-4) / (p**2 + (1 - p) ** 2 + 1e-4)
    expected = level * (9e-4 - 2 * variance) / (9e-4 + 2 * variance)
    assert float(ssim(x, 1 - x)) == pytest.approx(expected, abs=1e-12)


def test_flat_images_differ_in_level_only():
    # (2 * 0.5 * 0.25 + C1) / (0.25 + 0.0625 + C1), C1 = 0.0001
    found = float(ssim(np.full((8, 8), 0.5), np.full((8, 8), 0.25)))
    assert found == pytest.approx(0.2501 / 0.3126)


def test_an_image_is_wholly_like_itself_and_infinitely_above_its_noise(random):
    x = random.random((4, 28, 28))
    assert ssim(x, x) == pytest.approx(np.ones(4))
    assert np.all(np.isinf(psnr_db(x, x)))


def test_single_precision_gives_the_numbers_of_double(random):
    x, y = random.random((2, 28, 28)).astype(np.float32)
    assert ssim(x, y).dtype == np.float64
    assert float(ssim(x, y)) == float(ssim(x.astype(float), y.astype(float)))


def test_many_images_at_once_give_what_each_gives_alone(random):
    x, y = random.random((2, 1030, 7, 8))
    assert ssim(x, y)[[0, 1023, 1024, 1029]] == pytest.approx(
        [float(ssim(x[i], y[i])) for i in (0, 1023, 1024, 1029)], abs=1e-12
    )


@pytest.mark.parametrize(("error", "expected"), [(1.0, 0.0), (0.1, 20.0), (0.01, 40.0)])
def test_psnr_is_the_square_of_one_over_the_squared_error(error, expected):
    truth = np.zeros((2, 3, 5, 5))
    assert psnr_db(truth + error, truth) == pytest.approx(np.full((2, 3), expected))


def test_only_images_above_one_are_brought_into_range():
    images = np.array([[[0.5, -0.1]], [[0.5, 2.0]]])
    assert in_range(images, "clip").tolist() == [[[0.5, -0.1]], [[0.5, 1.0]]]
    assert in_range(images, "scale").tolist() == [[[0.5, -0.1]], [[0.25, 1.0]]]
    assert in_range(images, "keep").tolist() == images.tolist()
    with pytest.raises(BadCall, match="clip, scale, keep"):
        in_range(images, "wrap")


def test_classes_come_out_in_ascending_order():
    images = np.arange(6.0).reshape(2, 3, 1, 1)
    pattern = np.array([[True, False, True], [False, True, True]])
    assert of_classes(images, pattern)[..., 0, 0].tolist() == [[0, 2], [4, 5]]


def test_a_missed_class_is_black_where_the_number_was_free():
    images = np.ones((1, 3, 1, 1))
    found, true = np.array([[True, False, False]]), np.array([[True, True, False]])
    assert of_classes(images * found[..., None, None], true).ravel().tolist() == [1, 0]


def test_mixtures_of_unequal_numbers_have_no_common_shape():
    pattern = np.array([[True, False], [True, True]])
    with pytest.raises(BadCall, match="mixtures with 1, 2 streams on"):
        of_classes(np.ones((2, 2, 1, 1)), pattern)
    with pytest.raises(BadCall, match=r"expected \(2, 2\)"):
        of_classes(np.ones((2, 2, 1, 1)), pattern[:1])


def test_the_best_permutation_undoes_a_shuffle(random):
    true = random.random((6, 4, 7, 7))
    shuffle = random.permuted(np.tile(np.arange(4), (6, 1)), axis=1)
    found = np.take_along_axis(true, shuffle[:, :, None, None], axis=1) + 0.01
    assert (
        np.take_along_axis(shuffle, best_permutation(found, true), axis=1).tolist()
        == [[0, 1, 2, 3]] * 6
    )


def test_the_permutation_is_best_in_all_and_not_greedy():
    # the nearest two are 2 and 1.1; taking them first would leave 0 with 4
    true = np.array([0.0, 2.0]).reshape(1, 2, 1, 1)
    found = np.array([4.0, 1.1]).reshape(1, 2, 1, 1)
    assert best_permutation(found, true).tolist() == [[1, 0]]


def test_order_pays_for_a_swap_and_permutation_does_not(random):
    true = random.random((5, 2, 8, 8))
    swapped = true[:, ::-1] * 0.99
    ordered = score_images(swapped, true, "order")
    permuted = score_images(swapped, true, "permutation")
    assert permuted.ssim > 0.99 > ordered.ssim
    assert permuted.psnr_db > 40 > ordered.psnr_db
    assert (ordered.n_mixtures, ordered.n_sources, ordered.pairing) == (5, 2, "order")


def test_means_are_of_all_images_and_lie_in_their_intervals(random):
    true, noise = random.random((9, 3, 8, 8)), random.normal(0, 0.1, (9, 3, 8, 8))
    found = np.clip(true + noise, 0, 1)
    scores = score_images(found, true)
    assert scores.psnr_db == pytest.approx(psnr_db(found, true).mean())
    assert scores.ssim == pytest.approx(ssim(found, true).mean())
    assert scores.psnr_db_interval.low < scores.psnr_db < scores.psnr_db_interval.high
    assert scores.ssim_interval.low < scores.ssim < scores.ssim_interval.high
    assert scores == score_images(found, true)


def test_one_mixture_and_exact_images_have_no_interval(random):
    true = random.random((3, 2, 8, 8))
    exact = score_images(true, true)
    assert (exact.psnr_db, exact.psnr_db_interval) == (math.inf, None)
    assert exact.ssim_interval.low == pytest.approx(1)
    assert score_images(true[:1] / 2, true[:1]).ssim_interval is None


@pytest.mark.parametrize(
    ("found", "true", "message"),
    [
        (np.zeros((2, 1, 8, 8)), np.zeros((2, 2, 8, 8)), "expected the same"),
        (np.zeros((0, 2, 8, 8)), np.zeros((0, 2, 8, 8)), "there must be one to score"),
        (np.full((1, 1, 8, 8), np.nan), np.zeros((1, 1, 8, 8)), "found images have 64 values"),
        (np.zeros((1, 1, 8, 8)), np.full((1, 1, 8, 8), np.inf), "true images have 64 values"),
        (np.zeros((1, 1, 6, 8)), np.zeros((1, 1, 6, 8)), "SSIM takes 7 a side"),
    ],
)
def test_what_cannot_be_compared_is_refused(found, true, message):
    with pytest.raises(BadCall, match=message):
        score_images(found, true)


def test_an_unknown_pairing_is_refused():
    with pytest.raises(BadCall, match="order, permutation"):
        score_images(np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 8, 8)), "luck")
