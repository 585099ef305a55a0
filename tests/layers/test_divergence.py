"""Divergences and draws of normals, against torch's own and against many draws."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from diarize.layers.divergence import (
    divergence_from_standard_normal,
    log_ratio_to_standard_normal,
    sample_normal,
)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def some():
    mean = torch.randn(4, 3, generator=chance(1), dtype=torch.float64)
    log_variance = torch.randn(4, 3, generator=chance(2), dtype=torch.float64)
    return mean, log_variance


def test_the_divergence_is_that_of_torch():
    mean, log_variance = some()
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(divergence_from_standard_normal(mean, log_variance), expected)


def test_the_log_ratio_is_the_difference_of_torch_s_log_densities():
    mean, log_variance = some()
    sample = torch.randn(4, 3, generator=chance(3), dtype=torch.float64)
    expected = Normal(0.0, 1.0).log_prob(sample)
    expected = expected - Normal(mean, (log_variance / 2).exp()).log_prob(sample)
    found = log_ratio_to_standard_normal(sample, mean, log_variance)
    torch.testing.assert_close(found, expected.sum(-1))


def test_the_mean_of_the_log_ratio_is_minus_the_divergence():
    mean, log_variance = (one[0] for one in some())
    many = sample_normal(mean.expand(100_000, -1), log_variance.expand(100_000, -1), chance())
    ratios = log_ratio_to_standard_normal(
        many, mean.expand(100_000, -1), log_variance.expand(100_000, -1)
    )
    error = float(ratios.std()) / math.sqrt(len(ratios))
    expected = -float(divergence_from_standard_normal(mean, log_variance))
    assert float(ratios.mean()) == pytest.approx(expected, abs=4 * error)


def test_draws_have_the_mean_and_the_variance_asked_for():
    shape = (200_000, 1)
    drawn = sample_normal(torch.full(shape, 2.0), torch.full(shape, math.log(0.25)), chance())
    assert float(drawn.mean()) == pytest.approx(2.0, abs=0.01)
    assert float(drawn.std()) == pytest.approx(0.5, abs=0.01)


def test_gradients_flow_through_a_draw():
    mean, log_variance = (one.requires_grad_() for one in some())
    drawn = sample_normal(mean, log_variance, chance(5))
    drawn.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_variance.grad, (drawn - mean).detach() / 2)


def test_a_draw_hangs_on_its_generator_alone():
    mean, log_variance = some()
    first, again, other = (sample_normal(mean, log_variance, chance(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.gpu
def test_a_generator_of_a_gpu_draws_there():
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU here")
    mean = torch.zeros(3, 2, device="cuda")
    drawn = sample_normal(mean, mean, torch.Generator("cuda").manual_seed(0))
    assert drawn.is_cuda
