"""A song heard in several keys: the mean of what is found in each."""

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.inference.separate_passes import SEMITONES, check_passes, in_passes

RATE_HZ = 22050
N = 2 * RATE_HZ


def tone(hz):
    return np.sin(2 * np.pi * hz * np.arange(N) / RATE_HZ).astype(np.float32)


class Halves:
    """Gives each stem half of what it hears, and keeps what it heard."""

    def __init__(self):
        self.heard = []

    def __call__(self, window):
        self.heard.append(window)
        return np.stack([window / 2, window / 2])


def pitch_hz(samples):
    return np.argmax(np.abs(np.fft.rfft(samples))) * RATE_HZ / len(samples)


def test_each_pass_is_a_semitone_away_and_as_much_slower_or_faster():
    separate = Halves()
    in_passes(tone(400)[None], separate, len(SEMITONES))
    for heard, semitones in zip(separate.heard, SEMITONES, strict=True):
        factor = 2 ** (semitones / 12)
        assert pitch_hz(heard[0]) == pytest.approx(400 * factor, rel=2e-3)
        assert heard.shape[1] == pytest.approx(N / factor, abs=5)


def test_what_is_found_in_each_key_comes_back_in_the_songs_own_and_as_long():
    window = np.stack([tone(400), tone(700)])
    found = in_passes(window, Halves(), 5)
    assert found.shape == (2, 2, N)
    assert found.dtype == np.float32
    inside = slice(500, N - 500)
    np.testing.assert_allclose(found[0][:, inside], window[:, inside] / 2, atol=2e-3)


def test_one_pass_is_what_the_separator_says_to_the_bit():
    window = tone(400)[None]
    assert np.array_equal(in_passes(window, Halves(), 1), Halves()(window))


def test_errors_of_the_passes_even_out():
    def wrong_by_key(window):  # by as much as the window is longer than it was
        return np.stack([window, np.full_like(window, (window.shape[1] - N) / N)])

    window = np.zeros((1, N), np.float32)
    found = in_passes(window, wrong_by_key, 3)[1, 0, N // 2]
    assert found == pytest.approx((2 ** (1 / 12) + 2 ** (-1 / 12) - 2) / 3, abs=1e-3)


def test_the_shortest_windows_can_be_heard_in_any_key():
    for n_samples in (1, 2, 50):
        window = np.ones((1, n_samples), np.float32)
        assert in_passes(window, Halves(), 5).shape == (2, 1, n_samples)


@pytest.mark.parametrize("passes", [0, -1, 6])
def test_more_passes_than_keys_are_refused(passes):
    with pytest.raises(BadCall, match=f"passes is {passes}; it must be from 1 to 5"):
        check_passes(passes)
