import math

import numpy as np
import pytest

from diarize.corpora.loudness import loudness


@pytest.mark.parametrize("rate_hz", [22050, 44100, 48000])
def test_a_sine_of_997_hz_at_full_scale_has_3_lufs_below_zero(rate_hz):
    time_s = np.arange(2 * rate_hz) / rate_hz
    assert loudness(np.sin(2 * np.pi * 997 * time_s), rate_hz) == pytest.approx(-3.01, abs=0.05)


def test_twice_the_amplitude_is_6_lu_more():
    noise = np.random.default_rng(0).standard_normal(44100) * 0.05
    assert loudness(2 * noise, 44100) - loudness(noise, 44100) == pytest.approx(6.02, abs=1e-2)


def test_silence_passes_no_gate():
    assert loudness(np.zeros(44100), 44100) == -math.inf


def test_pauses_do_not_count():
    noise = np.random.default_rng(0).standard_normal(44100) * 0.1
    padded = np.concatenate([noise, np.zeros(10 * 44100)])
    assert loudness(padded, 44100) == pytest.approx(loudness(noise, 44100), abs=1.0)


def test_a_sound_shorter_than_a_block_has_a_loudness():
    assert math.isfinite(loudness(np.full(100, 0.5) * (-1) ** np.arange(100), 44100))


def test_it_agrees_with_pyloudnorm():
    pyloudnorm = pytest.importorskip("pyloudnorm")
    chance = np.random.default_rng(1)
    noise = chance.standard_normal(5 * 48000) * np.repeat([0.3, 0.01, 0.1, 0.001, 0.2], 48000)
    assert loudness(noise, 48000) == pytest.approx(
        pyloudnorm.Meter(48000).integrated_loudness(noise), abs=0.05
    )
