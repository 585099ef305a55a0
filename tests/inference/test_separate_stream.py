"""Songs taken apart piece by piece: no seams, no lost samples, sums that are exact."""

import numpy as np
import pytest

from diarize.inference.separate_stream import (
    Piece,
    Windows,
    high_shares,
    overlap_added,
    separated,
)
from diarize.inference.separate_sum import in_two, summed


def noise(n_channels, n_samples, seed=0):
    drawn = np.random.default_rng(seed).standard_normal((n_channels, n_samples))
    return (0.1 * drawn).astype(np.float32)


def tones(rate_hz, duration_s, *frequencies_hz):
    at = np.arange(round(rate_hz * duration_s)) / rate_hz
    return np.stack([0.2 * np.sin(2 * np.pi * f * at) for f in frequencies_hz]).astype(np.float32)


def blocks_of(sound, length):
    return [sound[:, at : at + length] for at in range(0, sound.shape[1], length)]


def shares(*factors):
    """A model that gives each stem the same share of everything."""
    return lambda window: np.stack([np.float32(factor) * window for factor in factors])


def joined(pieces):
    pieces = list(pieces)
    return Piece(
        np.concatenate([one.mixture for one in pieces], 1),
        np.concatenate([one.stems for one in pieces], 2),
    )


@pytest.mark.parametrize("n_samples", [1, 39, 40, 41, 100, 1003])
@pytest.mark.parametrize("block", [7, 64, 5000])
def test_windows_faded_into_one_another_leave_no_seam(n_samples, block):
    given = noise(2, n_samples)
    done = list(overlap_added(blocks_of(given, block), lambda one: 3 * one, Windows(40, 10)))
    mixture = np.concatenate([one for one, _ in done], 1)
    made = np.concatenate([one for _, one in done], 1)
    np.testing.assert_array_equal(mixture, given)
    np.testing.assert_allclose(made, 3 * given, atol=1e-6)


def test_where_two_windows_meet_one_is_faded_into_the_other():
    count = iter(range(9))
    given = np.ones((1, 30), np.float32)
    done = overlap_added([given], lambda one: next(count) + 0 * one, Windows(20, 10))
    made = np.concatenate([one for _, one in done], 1)[0]
    np.testing.assert_allclose(made[:10], 0)
    np.testing.assert_allclose(made[10:20], (np.arange(10) + 0.5) / 10, atol=1e-6)
    np.testing.assert_allclose(made[20:], 1)


def test_no_window_is_longer_than_told():
    lengths = []

    def transform(window):
        lengths.append(window.shape[1])
        return window

    list(overlap_added(blocks_of(noise(1, 1000), 333), transform, Windows(100, 25)))
    assert max(lengths) == 100
    assert min(lengths) > 25


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 44_100])
@pytest.mark.parametrize("n_samples", [100, 30_001])
def test_stems_are_as_long_as_the_song_at_its_rate_with_its_channels(rate_hz, n_samples):
    song = noise(2, n_samples)
    blocks = blocks_of(song, 4096)
    found = joined(separated(blocks, rate_hz, 16_000, shares(0.25, 0.75), Windows(4000, 1000)))
    np.testing.assert_array_equal(found.mixture, song)
    assert found.stems.shape == (2, 2, n_samples)


def test_what_the_model_can_hear_comes_back_at_the_song_s_rate():
    song = tones(44_100, 1.0, 500.0, 3000.0)
    blocks = blocks_of(song, 10_000)
    found = joined(separated(blocks, 44_100, 16_000, shares(0.25, 0.75), Windows(4000, 1000)))
    inner = slice(2000, -2000)
    np.testing.assert_allclose(found.stems[0][:, inner], 0.25 * song[:, inner], atol=2e-3)


def test_what_lies_above_the_model_s_band_goes_to_the_stems_and_nothing_is_lost():
    song = tones(44_100, 1.0, 500.0) + tones(44_100, 1.0, 15_000.0)
    found = joined(separated([song], 44_100, 16_000, shares(0.2, 0.8), Windows(4000, 1000)))
    np.testing.assert_allclose(found.stems.sum(0), song, atol=2e-3)
    high = np.abs(np.fft.rfft(found.stems[:, 0, 2000:42_100]))[:, 13_000:]
    # shares of energy: 0.8 has 16 times the energy of 0.2
    np.testing.assert_allclose(high[1].max() / high[0].max(), 16, rtol=0.1)


def test_shares_of_high_sounds_add_up_and_follow_who_plays_them():
    stems = np.zeros((2, 1, 8192), np.float32)
    stems[0, 0, :4096] = tones(16_000, 0.256, 7000.0)[0]
    stems[1, 0, 4096:] = tones(16_000, 0.256, 7000.0)[0]
    found = high_shares(stems)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    assert found[0, 1000] > 0.99
    assert found[1, 7000] > 0.99


@pytest.mark.parametrize("subtype", ["int16", "int24", "float32"])
def test_stems_add_up_to_the_mixture_exactly_as_files_hold_them(subtype):
    steps = {"int16": 2**15, "int24": 2**23, "float32": 2**23}[subtype]
    mixture = (np.rint(noise(2, 500) * steps) / steps).astype(np.float32)
    found = summed(Piece(mixture, 0.3 * noise(3, 1000, 1).reshape(3, 2, 500)[:, :, :500]), subtype)
    whole = found.stems.astype(np.float64) * steps
    np.testing.assert_array_equal(whole, np.rint(whole))
    np.testing.assert_array_equal(found.stems.sum(0, dtype=np.float64), mixture)


def test_what_is_left_over_goes_where_the_energy_is():
    mixture = np.full((1, 100), 0.5, np.float32)
    stems = np.stack([np.full((1, 100), 0.3, np.float32), np.zeros((1, 100), np.float32)])
    found = summed(Piece(mixture, stems), "int16")
    np.testing.assert_allclose(found.stems[0], 0.5, atol=1e-4)
    assert np.abs(found.stems[1]).max() < 1e-4


def test_two_stems_are_one_and_all_that_is_not_it():
    piece = Piece(noise(1, 50), noise(3, 50, 1)[:, None])
    found = in_two(piece, 1)
    np.testing.assert_array_equal(found.stems[0], piece.stems[1])
    np.testing.assert_allclose(found.stems.sum(0), piece.mixture, atol=1e-7)
