"""Shares fitted to a recording, and sounds made to differ."""

import math

import pytest
import torch
from tiny_composable import chance, tiny, tones

from diarize.corpora.batch import Songs
from diarize.errors import BadCall, BadFile
from diarize.layers.lowrank import AdaptSettings, fitted
from diarize.models.composable import visits
from diarize.models.composable.config import LossSettings
from diarize.models.composable.variation import n_drawn, varied

RATE_HZ = 8000


def two_instruments():
    """Powers of two instruments of one spectrum each, which share half of their frequencies."""
    spectra = torch.zeros(2, 12)
    spectra[0, :8], spectra[1, 4:] = 1.0, 1.0
    courses = torch.rand(2, 40, generator=chance(3)) ** 3
    return (spectra[:, :, None] * courses[:, None]).square()


def error_of(shares, powers):
    return (
        (shares - powers / powers.sum(0).clamp(min=1e-9)).square()[:, powers.sum(0) > 1e-3].mean()
    )


def test_spectra_learned_of_a_recording_mend_shares_that_err_at_each_moment():
    powers = two_instruments()
    true = powers / powers.sum(0).clamp(min=1e-9)
    wrong = (true + 0.5 * torch.rand(12, 40, generator=chance(1))).softmax(0)
    mended = fitted(wrong[None], powers.sum(0)[None], AdaptSettings(20, 40, 1, 1), chance())[0]
    assert error_of(mended, powers) < 0.25 * error_of(wrong, powers)
    torch.testing.assert_close(mended.sum(0), torch.ones(12, 40))


def test_a_second_round_begins_with_what_came_of_the_first():
    powers = torch.rand(1, 9, 20, generator=chance())
    shares = torch.rand(1, 2, 9, 20, generator=chance(1)).softmax(1)
    drawn = chance(2)
    once = fitted(shares, powers, AdaptSettings(5, 10, 2, 1, 1), drawn)
    again = fitted(once, powers, AdaptSettings(5, 10, 2, 1, 1), drawn)
    twice = fitted(shares, powers, AdaptSettings(5, 10, 2, 2, 1), chance(2))
    torch.testing.assert_close(twice, again)
    assert not torch.allclose(once, twice)


def test_of_several_starts_the_mean_is_taken():
    powers, shares = torch.rand(1, 9, 20, generator=chance()), torch.full((1, 2, 9, 20), 0.5)
    drawn = chance(2)
    each = [fitted(shares, powers, AdaptSettings(5, 10, 2, 1, 1), drawn) for _ in range(3)]
    three = fitted(shares, powers, AdaptSettings(5, 10, 2, 1, 3), chance(2))
    torch.testing.assert_close(three, sum(each) / 3)


def test_a_row_is_fitted_as_if_it_were_alone():
    powers = torch.rand(3, 9, 20, generator=chance())
    shares = torch.rand(3, 2, 9, 20, generator=chance(1)).softmax(1)
    every = fitted(shares, powers, AdaptSettings(5), chance())
    alone = fitted(shares[1:2], powers[1:2], AdaptSettings(5), chance())
    torch.testing.assert_close(every[1:2], alone, rtol=1e-4, atol=1e-5)


def test_adaptation_changes_components_that_still_add_up_and_chance_is_the_seed_s():
    model, mixture = tiny(adapt={"steps": 6, "n_spectra": 2}), tones()
    with torch.no_grad():
        first, again = model.separate(mixture), model.separate(mixture)
        model.adapt = AdaptSettings(0)
        plain = model.separate(mixture)
    assert torch.equal(first, again)
    assert not torch.allclose(first, plain)
    torch.testing.assert_close(first.sum(1, keepdim=True), mixture, rtol=0, atol=1e-5)


def test_silence_stays_silence_when_shares_are_fitted():
    model = tiny(adapt={"steps": 3})
    with torch.no_grad():
        assert model.separate(torch.zeros(1, 1, 500)).abs().max() < 1e-6


def test_shares_are_fitted_only_where_there_are_any():
    with pytest.raises(BadFile, match=r"adapt\.steps = 3 of output 'direct'; expected 0"):
        tiny(output="direct", view={"kind": "latents"}, adapt={"steps": 3})
    for name in ("n_spectra", "rounds", "starts"):
        with pytest.raises(BadCall, match=f"{name} = 0"):
            AdaptSettings(**{name: 0})


def sine(hz, n_samples=4000):
    return torch.sin(2 * math.pi * hz * torch.arange(n_samples) / RATE_HZ)[None]


def peak_hz(sound):
    return float(torch.fft.rfft(sound[0]).abs().argmax()) * RATE_HZ / sound.shape[1]


@pytest.mark.parametrize(("number", "hz"), [(1.0, 500.0), (0.5, 400.0), (0.0, 320.0)])
def test_the_fastest_is_so_much_higher_and_the_slowest_lower(number, hz):
    drawn = torch.full((1, n_drawn()), number)
    found = varied(sine(400), drawn, RATE_HZ, speed=0.25, shape_db=0.0)
    assert found.shape == (1, 4000)
    assert peak_hz(found) == pytest.approx(hz, abs=3)


def test_a_colour_is_within_its_bounds_and_a_pitch_stays():
    drawn = torch.rand(20, n_drawn(), generator=chance())
    for hz in (60, 400, 3000):
        found = varied(sine(hz).expand(20, -1), drawn, RATE_HZ, speed=0.0, shape_db=6.0)
        level_db = 10 * torch.log10(found.square().mean(1) / sine(hz).square().mean())
        assert level_db.abs().max() < 6.1
        assert level_db.std() > 0.5
        assert peak_hz(found[:1]) == pytest.approx(hz, abs=3)


def test_what_a_component_has_for_itself_frame_by_frame_is_mixed_and_silence_else(monkeypatch):
    model = tiny(losses={"alone": 0.25, "gated": [0.5, 0.0], "sure": 0.5, "gain_db": 0.0})
    heard = model.view.hear(tones(4))
    shares = torch.full((4, 2, 66, heard.data.shape[2]), 0.5)
    shares[:, 0, :, ::4], shares[:, 1, :, ::4] = 0.9, 0.1
    shares[:, 0, :, 1::4], shares[:, 1, :, 1::4] = 0.1, 0.9
    shares[:, 0, :, 2:], shares[:, 1, :, 2:] = 0.1, 0.9
    found = visits.made(model, tones(4), heard, shares, chance())
    assert found.shape == (1 + 2, 2, 900)
    gated = model.view.codec.encode(found[1:, :1]).latents.square().sum(1)
    assert bool((gated[:, 0] > 0).all())
    assert gated[:, 3:].max() < 1e-8 * gated[:, 0].min()
    assert found[1:, 1].square().mean() > 0.5  # the other is there all the time


def test_pairs_make_as_many_mixtures_of_each_window(monkeypatch):
    model = tiny(losses={"alone": 0.5, "pairs": 3, "speed": 0.1, "shape_db": 3.0, "unseen": 0.5})
    made = []
    hear = model.view.hear
    monkeypatch.setattr(
        model.view, "hear", lambda sound, **told: made.append(len(sound)) or hear(sound, **told)
    )
    model.begin("visit")
    found = model.loss(Songs(tones(4), stems=torch.full((4, 2, 900), torch.nan)), chance())
    assert made == [4, 6]
    assert bool(found.total.isfinite())


@pytest.mark.parametrize(
    "table",
    [
        {"pairs": 0},
        {"speed": 2.0},
        {"shape_db": 50.0},
        {"unseen": 1.5},
        {"gated": (2.0, 0.0)},
        {"sure": 1.5},
        {"keep_rows": 0.0},
        {"split_hz": 0.0},
    ],
)
def test_losses_that_cannot_be_meant_are_named(table):
    with pytest.raises(BadCall, match=next(iter(table))):
        LossSettings(**table)
