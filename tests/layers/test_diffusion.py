import math

import pytest
import torch

from diarize.errors import BadCall
from diarize.layers import diffusion
from diarize.layers.diffusion import (
    Levels,
    ancestral_sample,
    clean_under,
    cosine_levels,
    ddim_sample,
    exploding,
    few_levels,
    level_embedding,
    linear_levels,
    noise_in,
    noised,
    posterior_variance,
    preserving,
    run_down,
    sigmoid_levels,
    step_down,
)

SCHEDULES = [sigmoid_levels(50), cosine_levels(50), linear_levels(50)]


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def normal_denoiser(levels, mean, spread):
    """The best guess of clean data that are known to be N(mean, spread^2)."""

    def guess(noisy, level):
        signal, noise = levels.at(level, noisy)
        gain = signal * spread**2 / (signal**2 * spread**2 + noise**2)
        return mean + gain * (noisy - signal * mean)

    return guess


@pytest.mark.parametrize("levels", SCHEDULES)
def test_the_power_is_kept_and_shifts_from_signal_to_noise(levels):
    torch.testing.assert_close(levels.signal.square() + levels.noise.square(), torch.ones(51))
    assert levels.signal[0] == 1
    assert levels.noise[0] == 0
    assert bool((levels.noise.diff() > 0).all())
    assert levels.signal[-1] < 0.25
    assert levels.signal_to_noise()[0] == math.inf


def test_the_sigmoid_is_taken_by_hand_at_a_quarter():
    sigmoid = [1 / (1 + math.exp(-at)) for at in (-3, -1.5, 3)]
    kept = (sigmoid[2] - sigmoid[1]) / (sigmoid[2] - sigmoid[0])
    assert sigmoid_levels(4).signal[1].square().item() == pytest.approx(kept, rel=1e-5)


def test_a_step_takes_at_most_a_thousandth_less_than_all():
    levels = preserving(torch.tensor([1.0, 0.5, 0.0]))
    assert levels.signal[-1].square().item() == pytest.approx(0.5 * 0.001, rel=1e-3)


def test_noise_and_clean_data_are_found_from_one_another():
    levels, clean, noise = sigmoid_levels(20), torch.randn(5, 3), torch.randn(5, 3)
    level = torch.tensor([1, 5, 10, 15, 18])
    noisy = noised(clean, level, levels, noise)
    torch.testing.assert_close(noise_in(noisy, clean, level, levels), noise, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        clean_under(noisy, noise, level, levels), clean, rtol=1e-4, atol=1e-4
    )


def test_noised_images_keep_their_shape_and_level_0_is_clean():
    images = torch.rand(2, 3, 4, 4)
    out = noised(images, torch.tensor([0, 0]), sigmoid_levels(10), torch.randn(2, 3, 4, 4))
    assert torch.equal(out, images)


def test_one_way_down_lands_on_the_clean_datum_when_that_is_known():
    clean = torch.tensor([[1.0, -2.0]]).expand(4, 2)
    for path in ((50, 0), (50, 30, 7, 0), tuple(range(50, -1, -1))):
        for eta in (0.0, 0.5, 1.0):
            found = run_down(
                lambda _noisy, _level: clean, torch.randn(4, 2), SCHEDULES[0], path, eta, chance()
            )
            assert torch.equal(found, clean)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_samples_of_a_known_normal_have_its_mean_and_spread(eta):
    levels = cosine_levels(100)
    guess = normal_denoiser(levels, 2.0, 0.5)
    found = ddim_sample(guess, (4000, 2), levels, 100, chance(), eta=eta)
    assert found.mean().item() == pytest.approx(2.0, abs=0.03)
    assert found.std().item() == pytest.approx(0.5, abs=0.04)
    every = ancestral_sample(guess, (4000, 2), levels, chance(1))
    assert every.mean().item() == pytest.approx(2.0, abs=0.03)
    assert every.std().item() == pytest.approx(0.5, abs=0.03)


def test_samples_where_noise_is_only_added():
    levels = exploding(20 * torch.linspace(0, 1, 121).square())
    found = ancestral_sample(normal_denoiser(levels, 0.0, 1.0), (4000, 1), levels, chance())
    assert found.std().item() == pytest.approx(1.0, abs=0.06)


def test_ancestral_is_ddim_at_eta_1_by_every_level():
    levels = sigmoid_levels(30)
    guess = normal_denoiser(levels, 1.0, 0.3)
    both = [
        ancestral_sample(guess, (5, 2), levels, chance()),
        ddim_sample(guess, (5, 2), levels, 30, chance(), eta=1.0),
    ]
    assert torch.equal(both[0], both[1])


def test_a_step_whose_mean_moves_has_the_posterior_of_the_markov_chain():
    here, there = torch.tensor(2.0), torch.tensor(1.0)
    mean_here, mean_there, z_here = 3.0, 5.0, torch.tensor([[4.0]])
    noise = (z_here - mean_here) / here
    variance = posterior_variance(here, there)
    middle = step_down(torch.tensor([[mean_there]]), noise, there, variance, torch.zeros(1, 1))
    assert middle.item() == pytest.approx(5 + (1 / 4) * (4 - 3))
    assert variance.item() == pytest.approx(1 * (1 - 1 / 4))
    kept = step_down(torch.tensor([[mean_there]]), noise, there)
    assert kept.item() == pytest.approx(5.5)


def test_the_posterior_with_a_falling_signal_is_that_of_ddpm():
    levels = linear_levels(10)
    alpha = (levels.signal[5] / levels.signal[4]) ** 2
    kept = [levels.signal[at] ** 2 for at in (4, 5)]
    wanted = (1 - kept[0]) / (1 - kept[1]) * (1 - alpha)
    found = posterior_variance(levels.noise[5], levels.noise[4], alpha.sqrt())
    assert found.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_few_levels_are_even_and_end_at_0():
    assert few_levels(1000, 4) == (1000, 750, 500, 250, 0)
    assert few_levels(5, 5) == (5, 4, 3, 2, 1, 0)
    with pytest.raises(BadCall, match="6 steps of a diffusion of 5; expected 1 to 5"):
        few_levels(5, 6)


def test_an_embedding_tells_levels_apart():
    found = level_embedding(torch.arange(1000), 16)
    assert found.shape == (1000, 16)
    assert torch.cdist(found, found).fill_diagonal_(1).min() > 0.01
    with pytest.raises(BadCall, match="width 5"):
        level_embedding(torch.arange(2), 5)


def test_paths_that_cannot_be_gone_are_refused():
    levels, guess = SCHEDULES[0], lambda noisy, _level: noisy
    for path in ((50,), (50, 50, 0), (0, 50)):
        with pytest.raises(BadCall, match="each under the one before"):
            run_down(guess, torch.zeros(1, 1), levels, path)
    with pytest.raises(BadCall, match="there are 50 to 0"):
        run_down(guess, torch.zeros(1, 1), levels, (51, 0))
    with pytest.raises(BadCall, match="eta = 2"):
        run_down(guess, torch.zeros(1, 1), levels, (50, 0), 2.0)


def test_levels_that_are_none_are_refused():
    with pytest.raises(BadCall, match="start at 0 and grow"):
        exploding(torch.tensor([0.1, 0.2]))
    with pytest.raises(BadCall, match="1 steps"):
        diffusion.cosine_levels(1)
    assert Levels(torch.ones(3), torch.arange(3.0)).n_steps == 2
