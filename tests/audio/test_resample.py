import numpy as np
import pytest
import soxr

from diarize.audio.resample import Resampler, resample
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
