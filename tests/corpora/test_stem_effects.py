"""Stems made to sound like others: faster, held longer or shorter, overdriven."""

import numpy as np
import pytest

from diarize.corpora.stem_effects import (
    FRAME,
    Effects,
    altered,
    drawn_speed,
    driven,
    n_wanted,
    played,
    with_dynamics,
)
from diarize.errors import BadCall

RATE_HZ = 22050
ALL = Effects(likely=1.0, speed=0.2, dynamics=0.4, drive_db=12.0)


def tone(hz, n_samples=RATE_HZ):
    return np.sin(2 * np.pi * hz * np.arange(n_samples) / RATE_HZ).astype(np.float32)


def pitch_hz(samples):
    return np.argmax(np.abs(np.fft.rfft(samples))) * RATE_HZ / len(samples)


def test_a_quarter_faster_is_a_quarter_higher_and_as_long():
    found = played(tone(400, n_wanted(RATE_HZ, 1.25)), 1.25, RATE_HZ)
    assert len(found) == RATE_HZ
    assert pitch_hz(found) == pytest.approx(500, abs=1)
    assert np.abs(found[-100:]).max() > 0.9  # to the very end


def test_slower_is_lower_and_a_stem_that_ends_too_soon_ends_in_silence():
    assert pitch_hz(played(tone(400), 0.8, RATE_HZ)) == pytest.approx(320, abs=1)
    found = played(tone(400, 1000), 2.0, 800)
    assert (len(found), found[501:].any()) == (800, False)


def test_speeds_lie_within_what_is_set_on_both_sides_and_need_be_drawn():
    chance = np.random.default_rng(1)
    speeds = [drawn_speed(ALL, chance) for _ in range(500)]
    assert 1 / 1.2 <= min(speeds) < 0.85
    assert 1.18 < max(speeds) <= 1.2
    half = [drawn_speed(Effects(likely=0.5, speed=0.2), chance) for _ in range(500)]
    assert 200 < half.count(1.0) < 300


def test_dynamics_make_what_dies_away_die_sooner_or_later():
    levels = np.repeat([1.0, 0.1], 20 * FRAME).astype(np.float32)  # 20 dB softer half-way
    found = with_dynamics(levels, 1.5)
    assert found[0] == pytest.approx(1.0)
    assert 20 * np.log10(found[-1]) == pytest.approx(-30, abs=0.01)
    assert 20 * np.log10(with_dynamics(levels, 0.5)[-1]) == pytest.approx(-10, abs=0.01)
    assert not with_dynamics(np.zeros(1000, np.float32), 0.5).any()


def test_an_overdriven_tone_has_odd_overtones():
    found = np.abs(np.fft.rfft(driven(tone(400), 12.0)))
    assert found[1200] > 0.1 * found[400]
    assert found[800] < 0.001 * found[400]


def test_what_is_altered_is_another_and_as_loud():
    chance = np.random.default_rng(2)
    stem = tone(300) * np.linspace(1, 0, RATE_HZ, dtype=np.float32)
    found = altered(stem, ALL, chance)
    assert np.abs(found - stem).max() > 0.05
    assert np.mean(found**2) == pytest.approx(np.mean(stem**2), rel=1e-4)
    assert found.dtype == np.float32


def test_without_effects_a_stem_is_the_same_and_no_chance_is_used():
    chance = np.random.default_rng(3)
    stem = tone(300)
    assert np.array_equal(altered(stem, Effects(), chance), stem)
    assert drawn_speed(Effects(), chance) == 1.0
    assert chance.random() == np.random.default_rng(3).random()
    assert not altered(np.zeros(4, np.float32), ALL, chance).any()


@pytest.mark.parametrize("name", ["likely", "speed", "dynamics", "drive_db"])
def test_settings_that_cannot_be_meant_are_named(name):
    with pytest.raises(BadCall, match=name):
        Effects(**{name: -0.1})
    with pytest.raises(BadCall, match=name):
        Effects(**{name: 50.0})
