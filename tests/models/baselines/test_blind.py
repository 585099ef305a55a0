"""What the blind baselines make of spectrograms that are known."""

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.models.baselines.blind import BLIND, hpss_shares, nmf_shares, spectrum_shapes

RATE_HZ = 22050


@pytest.fixture
def tone_and_clicks():
    """Magnitudes (freq, frame) of a tone at bin 40 and a click at every 20th frame."""
    tone, clicks = np.full((2, 257, 100), 1e-3)
    tone[38:43] = 1.0
    clicks[:, ::20] = 1.0
    return tone, clicks


@pytest.mark.parametrize("name", BLIND)
def test_shares_of_every_bin_add_up_to_one_and_a_seed_says_which(name, tone_and_clicks):
    mixture = sum(tone_and_clicks)
    shares = [BLIND[name](mixture, RATE_HZ, 2, np.random.default_rng(3)) for _ in range(2)]
    assert shares[0].shape == (2, *mixture.shape)
    np.testing.assert_allclose(shares[0].sum(axis=0), 1, atol=1e-9)
    assert shares[0].min() >= 0
    np.testing.assert_array_equal(*shares)


@pytest.mark.parametrize("method", [nmf_shares, hpss_shares])
def test_a_tone_and_clicks_come_apart(method, tone_and_clicks):
    tone, clicks = tone_and_clicks
    shares = method(tone + clicks, RATE_HZ, 2, np.random.default_rng(0))
    of_tone = shares[:, 40, 10]  # where there is no click
    of_click = shares[:, 150, 20]  # where there is no tone
    assert of_tone.max() > 0.9
    assert of_click.max() > 0.9
    assert of_tone.argmax() != of_click.argmax()


def test_what_lasts_is_the_first_component_of_hpss(tone_and_clicks):
    tone, clicks = tone_and_clicks
    shares = hpss_shares(tone + clicks, RATE_HZ, 2, np.random.default_rng(0))
    assert shares[0, 40, 10] > 0.9
    assert shares[1, 150, 20] > 0.9


def test_hpss_gives_two_components_and_says_so():
    with pytest.raises(BadCall, match=r"hpss gives 2 components.*; 3 wanted"):
        hpss_shares(np.ones((9, 9)), RATE_HZ, 3, np.random.default_rng(0))


def test_chance_gives_each_component_about_the_same():
    shares = BLIND["random"](np.ones((200, 200)), RATE_HZ, 4, np.random.default_rng(0))
    np.testing.assert_allclose(shares.mean(axis=(1, 2)), 0.25, atol=0.01)
    assert set(np.unique(shares)) == {0.0, 1.0}


@pytest.mark.parametrize("magnitudes", [np.zeros((33, 20)), np.ones((33, 1))])
@pytest.mark.parametrize("name", BLIND)
def test_silence_and_one_frame_have_shares_too(name, magnitudes):
    shares = BLIND[name](magnitudes, RATE_HZ, 2, np.random.default_rng(0))
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-9)


def test_the_shape_of_a_spectrum_does_not_hang_on_its_level():
    spectra = np.random.default_rng(0).random((3, 257)) + 0.1
    np.testing.assert_allclose(
        spectrum_shapes(spectra, RATE_HZ), spectrum_shapes(100 * spectra, RATE_HZ), atol=1e-9
    )
