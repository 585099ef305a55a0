import numpy as np
import pytest

from diarize.audio.energy import active_level_dbfs
from diarize.audio.mix import (
    add_noise,
    at_level,
    coloured_noise,
    companded,
    equalised,
    gain,
    reverberate,
    room_response,
    telephone,
)
from diarize.errors import BadCall

RATE_HZ = 16_000


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def speech():
    """One second of sound between two of silence."""
    sound = 0.1 * np.sin(2 * np.pi * 500 * np.arange(RATE_HZ) / RATE_HZ)
    return np.concatenate([np.zeros(RATE_HZ), sound, np.zeros(RATE_HZ)]).astype(np.float32)


def test_twenty_decibels_are_a_factor_of_ten():
    assert gain(20.0) == pytest.approx(10)
    assert gain(0.0) == 1


def test_a_level_is_reached_and_silence_stays(speech):
    assert active_level_dbfs(at_level(speech, RATE_HZ, -30.0), RATE_HZ) == pytest.approx(-30)
    assert not at_level(np.zeros(100), RATE_HZ, -30.0).any()


def test_noise_lies_the_ratio_below_the_speech_without_its_pauses(speech, generator):
    noisy = add_noise(speech, generator.normal(size=1000), 20.0, RATE_HZ)
    noise = noisy - speech
    ratio_db = 10 * np.log10(np.mean(speech[RATE_HZ : 2 * RATE_HZ] ** 2) / np.mean(noise**2))
    assert ratio_db == pytest.approx(20, abs=0.05)
    with pytest.raises(BadCall, match="silent"):
        add_noise(speech, np.zeros(10), 20.0, RATE_HZ)


def test_a_room_keeps_time_length_and_loudness(speech):
    response = np.zeros(4_000)
    response[1_000], response[3_000] = 1.0, 0.3
    wet = reverberate(speech, response)
    assert len(wet) == len(speech)
    assert not np.abs(wet[: RATE_HZ - 10]).max() > 1e-6
    assert np.mean(wet**2) == pytest.approx(np.mean(speech**2), rel=1e-4)
    echo = wet[2 * RATE_HZ : 2 * RATE_HZ + 2_000]
    assert np.abs(echo).max() > 0.02
    with pytest.raises(BadCall, match="silent"):
        reverberate(speech, np.zeros(10))


def test_an_artificial_room_decays_and_has_the_direct_share(generator):
    response = room_response(0.5, 6.0, RATE_HZ, generator)
    assert len(response) == 8_000
    assert 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2)) == pytest.approx(6, abs=0.1)
    early, late = response[800:1600], response[4800:5600]  # 0.25 s apart: half of 60 dB
    fall_db = 10 * np.log10(np.mean(early**2) / np.mean(late**2))
    assert fall_db == pytest.approx(30, abs=2)


@pytest.mark.parametrize(("freq_hz", "is_kept"), [(100, False), (1000, True), (6000, False)])
def test_a_telephone_keeps_the_middle_only(freq_hz, is_kept):
    tone = np.sin(2 * np.pi * freq_hz * np.arange(RATE_HZ) / RATE_HZ)
    kept = np.std(telephone(tone, RATE_HZ)) / np.std(tone)
    assert kept > 0.95 if is_kept else kept < 0.03


def test_pink_noise_falls_three_decibels_an_octave(generator):
    noise = coloured_noise(2**18, -3.0, generator)
    assert np.mean(noise**2) == pytest.approx(1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[2**n : 2 ** (n + 1)].mean() for n in range(12, 16)]
    falls_db = 10 * np.log10(np.array(octaves[:-1]) / octaves[1:])
    np.testing.assert_allclose(falls_db, 3, atol=0.4)


def test_a_line_of_eight_bits_has_255_values_that_are_finer_near_silence():
    ramp = np.linspace(-1, 1, 100_001)
    carried = companded(ramp)
    values = np.unique(carried)
    assert len(values) == 255
    assert (np.diff(values)[127:] >= np.diff(values)[127] * 0.999).all()
    assert np.abs(carried - ramp).max() < 0.025
    assert (values == -values[::-1]).all()


def test_a_microphones_colour_raises_its_octaves_alone():
    time_s = np.arange(RATE_HZ) / RATE_HZ
    low, high = (np.sin(2 * np.pi * hz * time_s) for hz in (250, 4000))
    gains_db = np.array([0.0, -6.0, 0.0, 0.0, 0.0, 12.0, 0.0])
    coloured = equalised(low + high, RATE_HZ, gains_db)
    wanted = gain(-6.0) * low + gain(12.0) * high
    assert np.abs(coloured - wanted).max() < 1e-4
