"""Laplace and Gaussian noise: densities that integrate to one, scales, and draws."""

import pytest
import torch
from scipy import stats
from scipy.optimize import minimize_scalar

from diarize.layers.noise import distance, likeliest_scale, log_density

SPOKEN = {"laplace": stats.laplace, "gaussian": stats.norm}


@pytest.mark.parametrize("kind", SPOKEN)
def test_densities_are_those_of_scipy(kind):
    generator = torch.Generator().manual_seed(0)
    observed, mean = torch.randn(2, 5, 7, generator=generator, dtype=torch.float64)
    scale = torch.tensor(0.3, dtype=torch.float64)
    found = log_density(kind, distance(kind, observed, mean), 7, scale)
    expected = SPOKEN[kind].logpdf(observed.numpy(), mean.numpy(), 0.3).sum(1)
    assert found.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("kind", SPOKEN)
def test_a_density_integrates_to_one(kind):
    values = torch.linspace(-8, 8, 100_001, dtype=torch.float64)[:, None]
    distances = distance(kind, values, torch.zeros_like(values))
    density = log_density(kind, distances, 1, torch.tensor(0.4, dtype=torch.float64)).exp()
    assert float(torch.trapezoid(density, values[:, 0])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", SPOKEN)
def test_an_observation_is_measured_from_many_means_at_once(kind):
    generator = torch.Generator().manual_seed(0)
    observed, means = torch.rand(3, 1, 4, generator=generator), torch.rand(3, 6, 4)
    found = distance(kind, observed, means)
    assert found.shape == (3, 6)
    assert torch.equal(found[1, 2], distance(kind, observed[1, 0], means[1, 2]))


@pytest.mark.parametrize("kind", SPOKEN)
def test_the_likeliest_scale_is_where_the_density_is_highest(kind):
    generator = torch.Generator().manual_seed(1)
    observed = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    distances = distance(kind, observed, torch.zeros_like(observed))

    def cost(scale):
        return -float(log_density(kind, distances, 3, torch.tensor(scale)).sum())

    best = minimize_scalar(cost, bounds=(0.05, 5)).x
    assert likeliest_scale(kind, float(distances.mean()), 3) == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("kind", SPOKEN)
def test_a_perfect_fit_still_has_a_scale_above_zero(kind):
    assert likeliest_scale(kind, 0.0, 3) > 0
