"""The updates of pi and b at the end of an epoch: what is likeliest, and who counts."""

import math
from itertools import pairwise

import pytest
import torch
from scipy.optimize import minimize_scalar
from tiny_msvae import chance, made, mixtures

from diarize.models.contract import Batch
from diarize.models.msvae.objective import LEAST_SCALE, PRESENCE_RANGE, Statistics
from diarize.models.msvae.posterior import Observation, PatternPosterior, weigh_patterns


def weighed(n_data, noise, seed=0):
    """A posterior over random patterns of three streams, of data of five values."""
    generator = chance(seed)
    x = 2 * torch.rand(n_data, 5, generator=generator, dtype=torch.float64)
    sources = torch.rand(n_data, 3, 5, generator=generator, dtype=torch.float64)
    patterns = (torch.rand(n_data, 6, 3, generator=generator) < 0.4).double()
    presence = torch.tensor([0.3, 0.5, 0.6], dtype=torch.float64)
    scale = torch.tensor(0.4, dtype=torch.float64)
    return weigh_patterns(x, sources, patterns, Observation(noise, scale, presence))


def expected_log_joint(posteriors, noise, presence, scale):
    """Sum over data and patterns of q(s|x) log p(x, s), each term written out."""
    total = 0.0
    for posterior in posteriors:
        q, distances, patterns = posterior.probability, posterior.distances, posterior.patterns
        if noise == "laplace":
            fit = -distances / scale - 5 * math.log(2 * scale)
        else:
            fit = -0.5 * distances / scale**2 - 5 * math.log(scale * math.sqrt(2 * math.pi))
        prior = sum(
            patterns[..., stream] * math.log(pi) + (1 - patterns[..., stream]) * math.log(1 - pi)
            for stream, pi in enumerate(presence)
        )
        total += float((q * (fit + prior)).sum())
    return total


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_presence_and_scale_are_the_numeric_optimum(noise):
    posteriors = [weighed(7, noise, seed=1), weighed(2, noise, seed=2)]  # data count, not batches
    statistics = Statistics(3)
    for one in posteriors:
        statistics.add(one, torch.ones(len(one.patterns), dtype=torch.bool))
    scale = statistics.likeliest_scale(noise, 5)
    presence = statistics.likeliest_presence().tolist()
    best = minimize_scalar(
        lambda b: -expected_log_joint(posteriors, noise, presence, b), bounds=(0.01, 5)
    )
    assert scale == pytest.approx(best.x, abs=1e-4)
    for stream in range(3):

        def cost(pi, stream=stream):
            tried = [*presence[:stream], pi, *presence[stream + 1 :]]
            return -expected_log_joint(posteriors, noise, tried, scale)

        best = minimize_scalar(cost, bounds=(1e-3, 1 - 1e-3))
        assert presence[stream] == pytest.approx(best.x, abs=1e-4)


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_updates_with_the_sources_held_fixed_never_lower_the_evidence(noise):
    generator = chance(4)
    sources = torch.rand(40, 3, 5, generator=generator, dtype=torch.float64)
    on = (torch.rand(40, 3, 1, generator=generator) < 0.3).double()
    x = (on * sources).sum(1) + 0.1 * torch.randn(40, 5, generator=generator)
    patterns = torch.tensor([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]).double()
    presence, scale = torch.full((3,), 0.5).double(), torch.tensor(1.0).double()
    evidence = []
    for _ in range(30):
        posterior = weigh_patterns(x, sources, patterns[None], Observation(noise, scale, presence))
        evidence.append(float(posterior.log_evidence.sum()))
        statistics = Statistics(3)
        statistics.add(posterior, torch.ones(40, dtype=torch.bool))
        presence = statistics.likeliest_presence().double()
        scale = torch.tensor(statistics.likeliest_scale(noise, 5)).double()
    assert all(after > before - 1e-4 for before, after in pairwise(evidence))
    assert evidence[-1] > evidence[0] + 100
    assert float(scale) == pytest.approx(0.1 if noise == "gaussian" else 0.08, abs=0.02)


def test_an_epoch_sets_pi_and_b_from_all_its_batches():
    model = made()
    model.begin("mixtures")
    batches = [mixtures(model, 6, seed=1), mixtures(model, 3, seed=2)]
    presences, distances = [], []
    for number, x in enumerate(batches):
        with torch.no_grad():
            posterior = model.explain(x, generator=chance(number)).posterior
        presences.append(posterior.presence)
        distances.append(posterior.mean_distance)
        model.loss(Batch(x), chance(number))
    told = model.end_epoch()
    torch.testing.assert_close(model.presence, torch.cat(presences).mean(0), rtol=1e-6, atol=0)
    expected = float(torch.cat(distances).mean()) / 4
    assert float(model.scale) == pytest.approx(expected)
    assert told["b"] == pytest.approx(expected)
    assert [told[f"pi_{stream}"] for stream in range(3)] == model.presence.tolist()


def test_the_next_epoch_begins_with_nothing():
    model = made()
    model.begin("mixtures")
    model.loss(Batch(mixtures(model, 6)), chance())
    assert model.end_epoch()
    assert model.end_epoch() == {}


def test_presence_can_be_held_fixed_while_the_scale_is_learned():
    model = made(learn_presence=False)
    model.begin("mixtures")
    before = model.presence.clone()
    model.loss(Batch(mixtures(model, 6)), chance())
    model.end_epoch()
    assert torch.equal(model.presence, before)
    assert float(model.scale) != pytest.approx(0.3, abs=1e-3)


def test_mixtures_whose_pattern_is_known_do_not_count():
    counted, alone = made(), made()
    x = mixtures(counted, 6)
    patterns = torch.tensor([[1, 1, 1]] * 2 + [[-1, -1, -1]] * 4)
    for model in (counted, alone):
        model.begin("mixtures")
    counted.loss(Batch(x, patterns=patterns), chance())
    with torch.no_grad():
        counted_q = counted.explain(x, generator=chance()).posterior.presence[2:]
    counted.end_epoch()
    torch.testing.assert_close(counted.presence, counted_q.mean(0), rtol=1e-6, atol=0)
    alone.loss(Batch(x[:2], patterns=patterns[:2]), chance())
    assert alone.end_epoch() == {}


def test_experts_and_losses_that_are_only_looked_at_leave_pi_and_b_alone():
    model = made()
    model.begin("experts")
    model.loss(Batch(mixtures(model, 3), torch.arange(3)), chance())
    assert model.end_epoch() == {}
    model.begin("mixtures")
    model.eval()
    model.loss(Batch(mixtures(model, 3)), chance())
    assert model.end_epoch() == {}


def test_a_stream_never_heard_may_yet_come_and_a_perfect_fit_keeps_some_noise():
    statistics = Statistics(2)
    patterns = torch.tensor([[[0.0, 1.0]]])
    statistics.add(
        PatternPosterior(patterns, torch.zeros(1, 1), torch.zeros(1, 1)), torch.tensor([True])
    )
    assert statistics.likeliest_presence().tolist() == pytest.approx(list(PRESENCE_RANGE))
    assert statistics.likeliest_scale("laplace", 3) == LEAST_SCALE
    assert statistics.likeliest_scale("gaussian", 3) == LEAST_SCALE
