import math

import numpy as np
import pytest

from diarize.scoring.ideal_mask import ideal_ratio_masked
from diarize.scoring.separation_windows import LIMIT_DB, are_playing, score_windows, spans

RATE_HZ = 100  # windows of 400 samples every 200


def noises(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_windows_overlap_by_half_and_what_is_left_at_the_end_is_in_none():
    assert list(spans(1000, 100)) == [(0, 400), (200, 600), (400, 800), (600, 1000)]
    assert list(spans(999, 100)) == [(0, 400), (200, 600), (400, 800)]
    assert list(spans(50, 100)) == [(0, 50)]


def test_a_source_plays_from_the_published_threshold_on():
    n_samples = 88200  # 4 s: an RMS of .00445
    level = 1.5e-5 * math.sqrt(n_samples)
    signals = np.stack([np.full(n_samples, level * 1.001), np.full(n_samples, level * 0.999)])
    assert are_playing(signals).tolist() == [True, False]


def test_the_mixture_improves_nothing():
    truth = noises(2, 1, 800)
    mixture = np.broadcast_to(truth.sum(0), truth.shape)
    song = score_windows(("a", "b"), truth, mixture, RATE_HZ)
    assert song.n_kept == 3
    for source in song.sources.values():
        np.testing.assert_allclose(source.msdm_db, 0, atol=1e-5)
        np.testing.assert_allclose(source.active_db, 0, atol=1e-5)


def test_a_window_in_which_one_source_plays_alone_counts_for_nothing():
    truth = noises(2, 1, 800)
    truth[1, :, :400] = 0
    song = score_windows(("a", "b"), truth, truth, RATE_HZ)
    assert (song.n_kept, song.n_left_out) == (2, 1)


def test_a_silent_stem_counts_by_one_convention_and_is_told_apart_by_the_other():
    truth = np.concatenate([noises(2, 1, 400), np.zeros((1, 1, 400), np.float32)])
    estimate = truth.copy()
    estimate[2] = 0.1 * truth.sum(axis=0)  # 20 dB below the mixture
    silent = score_windows(("a", "b", "c"), truth, estimate, RATE_HZ).sources["c"]
    assert silent.is_playing.tolist() == [False]
    assert silent.msdm_db[0] == pytest.approx(20, abs=1e-3)
    assert np.isnan(silent.active_db[0])
    assert 10 * np.log10(silent.power[0] / silent.mixture_power[0]) == pytest.approx(-20, abs=1e-3)


def test_the_improvement_of_a_window_by_hand():
    # a and b orthogonal and equally loud: the mixture is at 0 dB; a quarter of b left: 12.04 dB
    a, b = np.tile([1.0, 1.0], 200), np.tile([1.0, -1.0], 200)
    truth = np.stack([a, b]).astype(np.float32)[:, None]
    estimate = np.stack([a + b / 4, b]).astype(np.float32)[:, None]
    source = score_windows(("a", "b"), truth, estimate, RATE_HZ).sources["a"]
    assert source.active_db[0] == pytest.approx(20 * math.log10(4), abs=1e-4)
    assert source.si_sir_db[0] == pytest.approx(20 * math.log10(4), abs=1e-4)
    assert source.si_sar_db[0] == LIMIT_DB


def test_a_silent_estimate_of_a_stem_that_plays_costs_what_the_limit_says():
    truth = noises(2, 1, 400)
    source = score_windows(("a", "b"), truth, np.zeros_like(truth), RATE_HZ).sources["a"]
    assert source.si_sdr_db[0] == -LIMIT_DB
    assert source.active_db[0] < -50


def test_two_channels_count_as_one_long_signal():
    truth = noises(2, 1, 400)
    estimate = truth + 0.1 * noises(2, 1, 400, seed=1)
    mono = score_windows(("a", "b"), truth, estimate, RATE_HZ).sources["a"]
    both = [np.repeat(one, 2, axis=1) for one in (truth, estimate)]
    stereo = score_windows(("a", "b"), *both, RATE_HZ).sources["a"]
    np.testing.assert_allclose(stereo.active_db, mono.active_db, atol=1e-5)


def test_an_ideal_mask_separates_what_does_not_overlap_and_keeps_the_sum():
    time = np.arange(8192) / 22050
    truth = np.stack([np.sin(2 * np.pi * hz * time) for hz in (300, 4000)])[:, None]
    masked = ideal_ratio_masked(truth)
    np.testing.assert_allclose(masked.sum(axis=0), truth.sum(axis=0), atol=1e-4)
    score = score_windows(("low", "high"), truth, masked, 22050)
    assert min(one.active_db[0] for one in score.sources.values()) > 30


def test_an_ideal_mask_of_a_sound_shorter_than_its_window_has_its_length():
    truth = noises(2, 1, 100)
    assert ideal_ratio_masked(truth).shape == truth.shape
