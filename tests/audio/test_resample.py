import numpy as np
import pytest
import soxr

from diarize.audio.resample import Resampler, at_speed, resample
from diarize.errors import BadCall


def test_any_cut_into_blocks_gives_the_same_samples():
    noise = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)
    whole = soxr.resample(noise, 44_100, 16_000, quality="HQ")
    for n_blocks in (1, 7, 400):
        stream = Resampler(44_100, 16_000)
        blocks = [stream.push(block) for block in np.array_split(noise, n_blocks)]
        np.testing.assert_allclose(np.concatenate([*blocks, stream.finish()]), whole, atol=1e-4)


def test_the_same_rate_changes_nothing():
    noise = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    np.testing.assert_array_equal(resample(noise, 16_000, 16_000), noise)


@pytest.mark.parametrize("n_samples", [0, 1, 5, 48])
def test_a_few_samples_resample_to_the_rounded_length(n_samples):
    assert len(resample(np.ones(n_samples), 48_000, 16_000)) == round(n_samples / 3)


@pytest.mark.parametrize("rates", [(0, 16_000), (16_000, -1), (16_000, 10**9)])
def test_rates_of_no_recording_are_refused(rates):
    with pytest.raises(BadCall, match="sample rate"):
        Resampler(*rates)


@pytest.mark.parametrize("speed", [0.5, 2 ** (-1 / 12), 1.25])
def test_faster_is_higher_and_shorter_and_the_inverse_takes_it_back(speed):
    tone = np.sin(2 * np.pi * 400 * np.arange(16_000) / 16_000).astype(np.float32)
    found = at_speed(tone, speed)
    assert len(found) == pytest.approx(16_000 / speed, abs=3)
    loudest = np.argmax(np.abs(np.fft.rfft(found))) * 16_000 / len(found)
    assert loudest == pytest.approx(400 * speed, rel=3e-3)
    back = at_speed(found, 1 / speed)
    inside = slice(500, 15_500)
    np.testing.assert_allclose(back[inside], tone[inside], atol=2e-3)


@pytest.mark.parametrize("speed", [0.0, -1.0, 11.0, float("nan")])
def test_a_speed_that_cannot_be_meant_is_refused(speed):
    with pytest.raises(BadCall, match="a speed of"):
        at_speed(np.zeros(100, np.float32), speed)
