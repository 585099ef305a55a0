"""Forward-backward, against all paths written out."""

import itertools

import pytest
import torch

from diarize.layers.markov import smoothed, switching
from diarize.layers.patterns import all_patterns


def by_all_paths(potential, transition):
    n_times, n_states = potential.shape
    marginal, total = torch.zeros(n_times, n_states), 0.0
    for path in itertools.product(range(n_states), repeat=n_times):
        steps = sum(transition[a, b] for a, b in itertools.pairwise(path))
        weight = (sum(potential[t, s] for t, s in enumerate(path)) + steps).exp()
        total = total + weight
        for time, state in enumerate(path):
            marginal[time, state] += weight
    return marginal / total, total.log()


def test_marginals_and_the_total_are_those_of_all_paths():
    chance = torch.Generator().manual_seed(0)
    potential = 2 * torch.randn(3, 5, 4, generator=chance)
    transition = torch.randn(4, 4, generator=chance)
    log_marginal, log_total = smoothed(potential, transition)
    for chain in range(3):
        marginal, total = by_all_paths(potential[chain], transition)
        torch.testing.assert_close(log_marginal[chain].exp(), marginal)
        torch.testing.assert_close(log_total[chain], total)


def test_without_memory_each_time_is_by_itself():
    potential = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1))
    log_marginal, log_total = smoothed(potential, torch.zeros(3, 3))
    torch.testing.assert_close(log_marginal, potential.log_softmax(2))
    torch.testing.assert_close(log_total, potential.logsumexp(2).sum(1))


def test_a_doubtful_moment_follows_its_neighbours():
    potential = torch.tensor([[[0.0, 4.0], [0.5, 0.0], [0.0, 4.0]]])
    steady = switching(all_patterns(1), on_to_off=0.05, off_to_on=0.05)
    assert potential.softmax(2)[0, 1, 1] < 0.5
    assert smoothed(potential, steady)[0].exp()[0, 1, 1] > 0.9


def test_long_and_steep_chains_stay_finite():
    potential = torch.randn(1, 5000, 4, generator=torch.Generator().manual_seed(2)) * 60
    log_marginal, log_total = smoothed(potential, switching(all_patterns(2), 0.01, 0.01))
    assert torch.isfinite(log_total).all()
    torch.testing.assert_close(log_marginal.exp().sum(2), torch.ones(1, 5000))


def test_a_chain_of_one_time_is_its_potential():
    potential = torch.tensor([[[0.0, 1.0, 2.0]]])
    log_marginal, _ = smoothed(potential, torch.zeros(3, 3))
    torch.testing.assert_close(log_marginal, potential.log_softmax(2))


def test_streams_switch_each_by_itself():
    step = switching(all_patterns(2), on_to_off=0.2, off_to_on=0.1).exp()
    assert step[0b00, 0b11].item() == pytest.approx(0.1 * 0.1)
    assert step[0b10, 0b01].item() == pytest.approx(0.2 * 0.1)
    torch.testing.assert_close(step.sum(1), torch.ones(4))
