import numpy as np
import pytest

from diarize.corpora import plucked
from diarize.corpora.instruments import source_of_program
from diarize.corpora.plucked import INSTRUMENTS, RATE_HZ, Pluck, pluck_string, plucked_presets

BARE = Pluck(33, "bare", 2.0, 3.0, (0.5, 0.4), 0.2, 0.3, 0.8, None, lambda sound: sound)


def of(pluck=BARE, key=45, force=0.9, seed=0):
    return pluck_string(pluck, key, force, np.random.default_rng(seed))


def heard_key(samples, key):
    """The key within a semitone of `key` at which a sound repeats, from its autocorrelation."""
    heard = samples[4410 : 4410 + 2**15]
    alike = np.fft.irfft(np.abs(np.fft.rfft(heard, 2**17)) ** 2)
    lags = [round(RATE_HZ / (440 * 2 ** ((key + off - 69) / 12))) for off in (1, -1)]
    lag = lags[0] + int(np.argmax(alike[lags[0] : lags[1]]))
    below, here, above = alike[lag - 1 : lag + 2]
    lag += (below - above) / (2 * (below - 2 * here + above))  # the top of a parabola
    return 69 + 12 * np.log2(RATE_HZ / lag / 440)


@pytest.mark.parametrize("key", [28, 45, 64])
def test_a_string_sounds_at_its_key_once_it_is_tuned_by_the_cents_told(key):
    samples, cents = of(key=key)
    assert heard_key(samples, key) + cents / 100 == pytest.approx(key, abs=0.05)


def test_a_string_falls_by_60_db_in_its_time_or_faster_and_high_ones_faster():
    def fall_db(samples):
        early, late = (np.square(samples[at : at + 4410]).mean() for at in (4410, 44100))
        return 10 * np.log10(early / late)

    low, high = (fall_db(of(key=key)[0]) for key in (40, 66))
    assert 18 * 0.95 < low < 40  # 60 dB in 3 s are 18 in .9 s
    assert high > 1.5 * low


def test_a_hard_pluck_is_brighter_than_a_soft_one():
    def brightness(samples):
        power = np.abs(np.fft.rfft(samples)) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())

    assert brightness(of(force=0.9)[0]) > 1.2 * brightness(of(force=0.1)[0])


def test_the_same_chance_gives_the_same_string_and_another_another():
    np.testing.assert_array_equal(of(seed=1)[0], of(seed=1)[0])
    assert not np.array_equal(of(seed=1)[0], of(seed=2)[0])


@pytest.mark.parametrize("pluck", INSTRUMENTS, ids=lambda pluck: pluck.name)
def test_every_instrument_is_of_a_class_in_tune_finite_and_ends_in_silence(pluck):
    assert source_of_program(pluck.number) == ("guitar" if pluck.number < 32 else "bass")
    key = 50 if pluck.number < 32 else 40
    samples, cents = of(pluck, key)
    assert len(samples) == int(pluck.length_s * RATE_HZ)
    assert np.abs(samples).max() == pytest.approx(0.9)
    assert samples[-1] == 0
    assert abs(cents) < 20
    assert heard_key(samples, key) + cents / 100 == pytest.approx(key, abs=0.1)


def test_presets_cover_every_key_and_velocity_once(monkeypatch):
    driven = Pluck(30, "driven", 0.2, 1.0, (0.5, 0.0), 0.2, 0.3, 0.8, None, np.tanh, 0.1, True)
    short = Pluck(33, "short", 0.2, 1.0, (0.5, 0.4), 0.2, 0.3, 0.8, None, np.tanh)
    monkeypatch.setattr(plucked, "INSTRUMENTS", (driven, short))
    for preset, n_layers in zip(plucked_presets(), (1, 2), strict=True):
        played = np.zeros((128, 128), int)
        for zone in preset.zones:
            (low, high), (soft, hard) = zone.keys, zone.velocities
            played[low : high + 1, soft : hard + 1] += 1
            assert low <= zone.root <= high
        assert (played == 1).all()
        assert len({zone.velocities for zone in preset.zones}) == n_layers
