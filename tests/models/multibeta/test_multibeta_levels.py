"""Betas and their levels, the curve of sigma, and what stands in for one that rises too soon."""

import math

import pytest
import torch
from tiny_multibeta import SETTINGS, chance, images, made, usable

from diarize.errors import BadCall
from diarize.models.contract import Batch
from diarize.models.multibeta.levels import (
    SigmaCurve,
    beta_at,
    growth_exponent,
    in_use,
    level_of,
    schedule_of,
    sinusoidal,
    trained_levels,
)


@pytest.mark.parametrize("beta", [0.1, 0.7, 100.0])
@pytest.mark.parametrize("spacing", ["log", "linear"])
def test_the_level_of_a_beta_leads_back_to_it(beta, spacing):
    settings = made(spacing=spacing).settings
    level = level_of(beta, settings)
    assert 0 <= level <= 1
    assert beta_at(torch.tensor(level, dtype=torch.float64), settings) == pytest.approx(beta)


@pytest.mark.parametrize("beta", [0.0, 0.09, 101.0, float("nan")])
def test_a_beta_outside_of_the_trained_range_is_refused(beta):
    with pytest.raises(BadCall, match=r"this model was trained for betas from 0.1 to 100"):
        level_of(beta, SETTINGS)


def test_sigma_rises_whatever_was_learned():
    curve = SigmaCurve(2, 5)
    with torch.no_grad():
        curve.rises.copy_(10 * torch.randn(5, 2, generator=torch.Generator().manual_seed(0)))
    rise = curve(torch.linspace(0, 1, 41)).diff(dim=0)
    assert bool((rise > -1e-6).all())
    assert rise.max() > 0.1


def test_an_untrained_curve_goes_from_a_little_noise_to_nearly_that_of_the_prior():
    log_sigma = SigmaCurve(2, 7)(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(log_sigma.exp(), torch.tensor([[0.05, 0.05], [0.99, 0.99]]))


def test_sigma_is_that_of_a_linear_vae_where_it_rises_as_log_beta():
    curve, level = SigmaCurve(1, 4), torch.linspace(0, 1, 9)
    explained = 20.0  # nats, by the latent: sigma^2 = beta / (beta + explained)
    beta = beta_at(level, SETTINGS)
    with torch.no_grad():
        curve.first.fill_(math.log(0.1 / explained))
        curve.rises.fill_(math.log(math.expm1(math.log(1000) / 4)))
    found = curve(level).exp().square()[:, 0]
    torch.testing.assert_close(found, beta / (beta + explained))


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_growth_is_the_power_of_the_level(power):
    level = torch.linspace(0, 1, 201)[:, None]
    assert growth_exponent(0.2 + 0.7 * level**power) == pytest.approx(power, abs=0.01)


def test_growth_is_that_of_latents_in_use():
    level = torch.linspace(0, 1, 201)[:, None]
    used, unused = 0.1 + 0.8 * level**1.5, (0.1 + 5 * level.sqrt()).clamp(max=1)
    both = torch.cat([used, unused, unused], 1)
    assert in_use(both).tolist() == [True, False, False]
    assert growth_exponent(both) == pytest.approx(1.5, abs=0.01)
    assert schedule_of(both, "auto", 1.0)[2] is False
    assert growth_exponent(unused) < 1  # none is in use: all count
    assert schedule_of(unused, "auto", 1.0)[2] is True


def test_a_squared_sine_stands_in_for_noise_that_comes_at_once_and_keeps_its_ends():
    level = torch.linspace(0, 1, 101)[:, None]
    steep, slow = 0.1 + 0.9 * level.sqrt(), 0.1 + 0.9 * level**2
    schedule, growth, replaced = schedule_of(steep, "auto", 1.0)
    assert replaced
    assert growth == pytest.approx(0.5, abs=1e-3)
    torch.testing.assert_close(schedule, sinusoidal(steep[0], steep[-1], 100))
    torch.testing.assert_close(schedule[[0, 50, 100], 0], torch.tensor([0.1, 0.55, 1.0]))
    assert growth_exponent(schedule) == pytest.approx(2, abs=0.05)
    kept, _, replaced = schedule_of(slow, "auto", 1.0)
    assert not replaced
    assert torch.equal(kept, slow)


def test_which_noise_is_used_can_be_said():
    level = torch.linspace(0, 1, 101)[:, None]
    assert schedule_of(0.1 + level.sqrt(), "learned", 1.0)[2] is False
    assert schedule_of(0.1 + level**2, "sinusoidal", 1.0)[2] is True


def test_the_journal_says_that_noise_was_replaced():
    steep = made(n_knots=24)
    with torch.no_grad():
        steep.curve.rises[:1].fill_(3.0)  # nearly all of it before the first knot
        steep.curve.rises[1:].fill_(-9.0)
    steep.begin("diffusion")
    assert steep.end_epoch()["sinusoidal"] == 1.0
    assert steep.end_epoch()["sigma_growth"] < 0.5
    assert usable().end_epoch()["sinusoidal"] == 0.0


def test_training_begins_at_its_first_betas_and_widens_epoch_by_epoch():
    model = made(first_betas=(1.0, 10.0), widening=(1, 3))
    drawn = []
    encoded = model._encoded

    def noted(images, level):
        drawn.append((float(level.min()), float(level.max())))
        return encoded(images, level)

    model._encoded = noted
    model.begin("autoencoder")
    for _ in range(4):
        model.loss(Batch(images(400)), chance())
        model.end_epoch()
    for (least, most), (low, high) in zip(
        drawn, [(1 / 3, 2 / 3), (1 / 3, 2 / 3), (1 / 6, 5 / 6), (0, 1)], strict=True
    ):
        assert low <= least < low + 0.02
        assert high - 0.02 < most <= high
    again = made(first_betas=(1.0, 10.0), widening=(1, 3))
    again.load_state_dict(model.state_dict())  # a training that goes on knows how far it was
    assert int(again.n_epochs) == 4
    model.begin("diffusion")
    model.end_epoch()
    assert int(model.n_epochs) == 4


def test_without_first_betas_all_levels_are_drawn_and_weights_are_as_they_were():
    assert trained_levels(SETTINGS, 0) == (0.0, 1.0)
    assert "n_epochs" not in made().state_dict()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"first_betas": (1.0, 10.0)}, "both, or neither"),
        ({"widening": (0, 3)}, "both, or neither"),
        ({"first_betas": (10.0, 1.0), "widening": (0, 3)}, "the lower one first"),
        ({"first_betas": (1.0, 1000.0), "widening": (0, 3)}, "highest_beta = 100.0 would be right"),
        ({"first_betas": (1.0,), "widening": (0, 3)}, "two, the lower one first"),
        ({"first_betas": (1.0, 9.0), "widening": (3, 3)}, "the first one before the other"),
    ],
)
def test_a_widening_that_cannot_be_meant_is_refused(changed, message):
    with pytest.raises(BadCall, match=message):
        made(**changed)
