"""The posterior over patterns: its sums, its marginals, and which patterns are weighed."""

import math
from itertools import product

import pytest
import torch
from tiny_msvae import chance, log_joint_by_hand, made, mixtures

from diarize.models.msvae.posterior import (
    Observation,
    Readout,
    choose_candidates,
    grow_patterns,
    proposal_cross_entropy,
    propose_patterns,
    weigh_patterns,
    without_repeats,
)


def observation(noise="laplace", n_streams=3):
    presence = torch.tensor([0.2, 0.55, 0.4, 0.7][:n_streams], dtype=torch.float64)
    return Observation(noise, torch.tensor(0.5, dtype=torch.float64), presence)


def problem(n_data=4, n_streams=3, n_values=5, seed=0):
    generator = chance(seed)
    x = 2 * torch.rand(n_data, n_values, generator=generator, dtype=torch.float64)
    sources = torch.rand(n_data, n_streams, n_values, generator=generator, dtype=torch.float64)
    patterns = torch.tensor(list(product((0.0, 1.0), repeat=n_streams)), dtype=torch.float64)
    return x, sources, patterns


def test_the_prior_of_all_patterns_sums_to_one():
    _, _, patterns = problem()
    prior = observation().log_prior(patterns).exp()
    assert float(prior.sum()) == pytest.approx(1, abs=1e-12)
    assert float(prior[0]) == pytest.approx(0.8 * 0.45 * 0.6)
    assert float(prior[0b101]) == pytest.approx(0.2 * 0.45 * 0.4)


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_every_pattern_weighs_what_a_loop_says(noise):
    x, sources, patterns = problem()
    ratio = torch.randn(4, 3, generator=chance(9), dtype=torch.float64)
    posterior = weigh_patterns(x, sources, patterns[None], observation(noise), ratio)
    presence = observation().presence
    by_hand = torch.tensor(
        [
            [
                log_joint_by_hand(x[d], sources[d], s.tolist(), presence, 0.5, noise, ratio[d])
                for s in patterns
            ]
            for d in range(4)
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(posterior.log_joint, by_hand, rtol=0, atol=1e-9)
    total = by_hand.exp().sum(1, keepdim=True)
    torch.testing.assert_close(posterior.log_evidence, total.log()[:, 0])
    torch.testing.assert_close(posterior.probability, by_hand.exp() / total)


def test_probabilities_sum_to_one_and_marginals_are_their_sums():
    x, sources, patterns = problem()
    posterior = weigh_patterns(x, sources, patterns[None], observation())
    torch.testing.assert_close(posterior.probability.sum(1), torch.ones(4, dtype=torch.float64))
    for stream in range(3):
        with_it = [number for number, s in enumerate(patterns.tolist()) if s[stream] == 1]
        expected = posterior.probability[:, with_it].sum(1)
        torch.testing.assert_close(posterior.presence[:, stream], expected)
    expected = (posterior.probability * posterior.distances).sum(1)
    torch.testing.assert_close(posterior.mean_distance, expected)
    rows = posterior.probability.argmax(1)
    assert torch.equal(posterior.best, patterns[rows])


def test_the_marginals_are_the_slope_of_the_evidence_in_the_prior_s_log_odds():
    x, sources, patterns = problem()
    odds = torch.tensor([-1.0, 0.2, 0.5], dtype=torch.float64, requires_grad=True)
    observed = Observation("laplace", torch.tensor(0.5, dtype=torch.float64), odds.sigmoid())
    posterior = weigh_patterns(x, sources, patterns[None], observed)
    posterior.log_evidence.sum().backward()
    expected = (posterior.presence - odds.sigmoid()).sum(0).detach()
    torch.testing.assert_close(odds.grad, expected)


def test_patterns_that_repeat_others_weigh_nothing():
    x, sources, patterns = problem()
    once = weigh_patterns(x, sources, patterns[None], observation())
    order = [0, 3, 3, 1, 0, 2, 4, 5, 6, 7, 3]
    twice = without_repeats(weigh_patterns(x, sources, patterns[order][None], observation()))
    torch.testing.assert_close(twice.log_evidence, once.log_evidence)
    torch.testing.assert_close(twice.presence, once.presence)
    torch.testing.assert_close(twice.mean_distance, once.mean_distance)
    assert torch.equal(twice.best, once.best)
    assert twice.probability[:, [2, 4, 10]].tolist() == [[0.0] * 3] * 4


def test_repeats_leave_no_trace_in_the_gradient():
    x, sources, patterns = problem()
    gradients = []
    for order in (range(8), [0, 1, 1, 2, 3, 4, 5, 5, 6, 7]):
        leaf = sources.clone().requires_grad_()
        posterior = weigh_patterns(x, leaf, patterns[list(order)][None], observation())
        without_repeats(posterior).log_evidence.sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_same_patterns_for_all_are_given_once():
    x, sources, patterns = problem()
    once = weigh_patterns(x, sources, patterns[None], observation())
    each = weigh_patterns(x, sources, patterns.expand(4, -1, -1), observation())
    assert torch.equal(once.log_joint, each.log_joint)


def test_energies_far_below_what_an_exponential_holds_are_no_trouble():
    x, sources, patterns = problem()
    posterior = weigh_patterns(1e6 * x.float(), sources.float(), patterns[None].float(), small())
    assert bool(posterior.log_evidence.isfinite().all())
    torch.testing.assert_close(posterior.probability.sum(1), torch.ones(4))


def small():
    return Observation("laplace", torch.tensor(1e-3), torch.tensor([0.2, 0.55, 0.4]))


def test_candidates_are_the_streams_the_proposal_finds_likeliest():
    proposal = torch.tensor([[0.0, 3.0, -1.0, 2.0], [5.0, 4.0, 3.0, 2.0]])
    expected = [[0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]]
    assert choose_candidates(proposal, 2).tolist() == expected
    assert choose_candidates(proposal, 4).tolist() == [[1.0] * 4] * 2
    assert choose_candidates(proposal, 9).tolist() == [[1.0] * 4] * 2


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_proposed_patterns_are_the_likeliest_of_candidates(sign):
    proposal = 60 * sign * torch.rand(6, 7, generator=chance(1)) - 5
    candidates = choose_candidates(proposal, 3)
    patterns = propose_patterns(proposal, candidates, 8)
    assert patterns.shape == (6, 8, 7)
    assert float((patterns * (1 - candidates)[:, None]).abs().max()) == 0
    for row in patterns:
        assert len({tuple(one) for one in row.tolist()}) == 8
    best = ((proposal > 0) & (candidates > 0)).float()
    assert torch.equal(patterns[:, 0], best)


def test_growing_gives_what_is_one_change_of_a_candidate_away_from_the_best():
    best = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    candidates = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    grown = [sorted(near) for near in grow_patterns(best, candidates).tolist()]
    assert grown[0] == [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    assert grown[1] == [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def test_the_proposal_s_cost_is_least_at_the_marginals():
    presence = torch.tensor([[0.2, 0.7]])
    at_best = proposal_cross_entropy(presence.logit(), presence)
    entropy = -sum(p * math.log(p) + (1 - p) * math.log(1 - p) for p in (0.2, 0.7))
    assert float(at_best) == pytest.approx(entropy, abs=1e-6)
    assert float(proposal_cross_entropy(presence.logit() + 0.3, presence)) > float(at_best)


def test_a_readout_cools_the_posterior_and_trusts_the_proposal_by_hand():
    x, sources, patterns = problem()
    posterior = weigh_patterns(x, sources, patterns[None], observation())
    proposal = torch.randn(4, 3, generator=chance(3), dtype=torch.float64)
    read = Readout(2.0, 0.25).double()(posterior, proposal)
    on = proposal.sigmoid()
    for datum, number in product(range(4), range(8)):
        guess = 1.0
        for stream, is_on in enumerate(patterns[number].tolist()):
            guess *= float(on[datum, stream]) if is_on else 1 - float(on[datum, stream])
        expected = float(posterior.log_joint[datum, number]) / 2 + 0.25 * math.log(guess)
        assert float(read.log_joint[datum, number].detach()) == pytest.approx(expected, abs=1e-6)


def test_a_readout_of_a_list_with_repeats_has_finite_gradients():
    x, sources, patterns = problem()
    posterior = without_repeats(
        weigh_patterns(x, sources, patterns[[0, 1, 1, 2]][None], observation())
    )
    readout = Readout(2.0, 0.25).double()
    proposal = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    readout(posterior, proposal).log_evidence.sum().backward()
    for one in (*readout.parameters(), proposal):
        assert bool(one.grad.isfinite().all())
    assert readout(posterior, proposal).probability[:, 2].tolist() == [0.0] * 4


@pytest.mark.parametrize("most_candidates", [2, 5])
def test_what_a_truncated_posterior_leaves_out_is_the_unlikely(most_candidates):
    """With a proposal that is the exact marginal, the likeliest pattern is hardly ever missed."""
    exact = made(n_streams=5, scale=0.05)
    x = mixtures(exact, 30)
    whole = exact.explain(x).posterior
    truncated = made(
        n_streams=5,
        scale=0.05,
        posterior="truncated",
        n_patterns=4,
        most_candidates=most_candidates,
    )
    presence = whole.presence.detach().clamp(1e-6, 1 - 1e-6)
    latents = exact.encoders(x)
    object.__setattr__(latents, "proposal", presence.logit())
    truncated.encoders.forward = lambda mixtures: latents
    part = truncated.explain(x).posterior
    assert part.patterns.shape[1] <= 4 + 5
    assert float((part.best == whole.best).all(1).double().mean()) > 0.6
    assert bool((part.log_evidence <= whole.log_evidence + 1e-9).all())
