"""The bound of an MS-VAE against loops over patterns, integrals over latents, and differences."""

import math
from itertools import pairwise, product

import pytest
import torch
from tiny_msvae import (
    chance,
    evidence_by_integration,
    log_evidence_by_hand,
    log_normal,
    made,
    mixtures,
)

from diarize.models.contract import Batch
from diarize.models.msvae import posterior as posteriors

KINDS = list(product(("laplace", "gaussian"), ("gated", "full"), (0.0, 0.3)))
ONE_LATENT = {"n_latents": 1, "n_streams": 2, "n_values": 2, "scale": 0.4}


@torch.no_grad()
def drawn(model, x, seed=5):
    """The latents that `explain` draws with this seed, what they look like, and what they cost."""
    latents = model.encoders(x)
    sample = latents.sample(chance(seed))
    ratio = log_normal(sample) - log_normal(sample, latents.mean, latents.log_variance)
    return latents, model.decoders(sample), ratio


def one_latent(seed=0, **changes):
    """A model whose encoder's normals are wide, so that its weights have a variance."""
    model = made(seed=seed, **{**ONE_LATENT, **changes})
    with torch.no_grad():
        outputs = model.encoders.heads
        outputs.weights[-1] *= 0.3
        outputs.biases[-1][:, 1] = 0.2
    return model


@pytest.mark.parametrize(("noise", "divergence", "gain_spread"), KINDS)
def test_the_bound_is_the_sum_over_all_patterns(noise, divergence, gain_spread):
    model = made(n_streams=4, noise=noise, divergence=divergence, gain_spread=gain_spread)
    x = mixtures(model, 3)
    bound = model.explain(x, generator=chance(5)).bound.value.tolist()
    latents, sources, ratio = drawn(model, x)
    assert latents.mean.shape[2] == 2 + (gain_spread > 0)
    for datum in range(3):
        charged = ratio[datum] if divergence == "gated" else None
        expected = log_evidence_by_hand(
            x[datum], sources[datum], model.presence, float(model.scale), noise, charged
        )
        if divergence == "full":
            mean, log_variance = latents.mean[datum], latents.log_variance[datum]
            kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1)
            expected -= float(kl.sum())
        assert bound[datum] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("gain_spread", [0.0, 0.3])
def test_a_gain_is_one_more_latent_that_makes_a_stream_louder(gain_spread):
    model = made(gain_spread=gain_spread)
    latents = torch.zeros(1, 3, 2 + (gain_spread > 0), dtype=torch.float64)
    plain = model.decoders(latents).detach()
    if gain_spread:
        latents[..., -1] = 2.0
        louder = model.decoders(latents).detach()
        torch.testing.assert_close(louder, plain * math.exp(0.6))
    assert float(plain.min()) > 0
    assert float(plain.max()) < 1


@pytest.mark.parametrize(("noise", "divergence", "gain_spread"), KINDS)
def test_a_truncated_bound_is_below_the_exact_one_draw_by_draw(noise, divergence, gain_spread):
    same = {"noise": noise, "divergence": divergence, "gain_spread": gain_spread, "n_streams": 5}
    exact = made(**same)
    x = mixtures(exact, 20)
    whole = exact.explain(x, generator=chance(5)).bound.value
    for n_patterns, grow, most_candidates in product((1, 3, 9), (False, True), (2, 4, 5)):
        truncated = made(
            posterior="truncated",
            n_patterns=n_patterns,
            grow=grow,
            most_candidates=most_candidates,
            **same,
        )
        part = truncated.explain(x, generator=chance(5)).bound.value
        assert bool((part <= whole + 1e-9).all())
        assert bool((part < whole - 1e-6).any())


@pytest.mark.parametrize("divergence", ["gated", "full"])
@pytest.mark.parametrize("grow", [False, True])
def test_a_truncated_bound_with_all_patterns_is_the_exact_one(divergence, grow):
    exact = made(n_streams=4, divergence=divergence)
    truncated = made(
        n_streams=4,
        divergence=divergence,
        posterior="truncated",
        n_patterns=16,
        most_candidates=4,
        grow=grow,
    )
    x = mixtures(exact, 6)
    whole, part = (one.explain(x, generator=chance(5)) for one in (exact, truncated))
    torch.testing.assert_close(part.bound.value, whole.bound.value, rtol=0, atol=1e-9)
    torch.testing.assert_close(part.posterior.presence, whole.posterior.presence)
    torch.testing.assert_close(part.posterior.mean_distance, whole.posterior.mean_distance)
    assert torch.equal(part.posterior.best, whole.posterior.best)


def test_more_patterns_never_loosen_the_bound():
    x = mixtures(made(n_streams=5), 12)
    bounds = [
        made(n_streams=5, posterior="truncated", n_patterns=n, most_candidates=5, grow=False)
        .explain(x, generator=chance(5))
        .bound.value
        for n in (1, 2, 4, 8, 16, 32)
    ]
    for fewer, more in pairwise(bounds):
        assert bool((more >= fewer - 1e-9).all())


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("seed", [0, 1])
def test_one_draw_gives_an_unbiased_estimate_of_the_likelihood(noise, seed):
    model = one_latent(seed, noise=noise)
    x = mixtures(model, 1, seed=seed)
    n_draws = 60_000
    with torch.no_grad():
        explained = model.explain(x.expand(n_draws, -1), generator=chance(3))
    estimates = explained.posterior.log_evidence.exp()
    error = float(estimates.std()) / math.sqrt(n_draws)
    expected = evidence_by_integration(model, x[0])
    assert error < 0.02 * expected
    assert float(estimates.mean()) == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_truncated_is_below_exact_is_below_the_likelihood(noise):
    exact = one_latent(noise=noise)
    truncated = one_latent(noise=noise, posterior="truncated", n_patterns=2, grow=False)
    x = mixtures(exact, 1)
    many = x.expand(20_000, -1)
    with torch.no_grad():
        bounds = [
            float(model.explain(many, generator=chance(3)).bound.value.mean())
            for model in (truncated, exact)
        ]
        estimates = exact.explain(many, generator=chance(4)).posterior.log_evidence
    likelihood = float(estimates.logsumexp(0)) - math.log(len(many))
    assert likelihood == pytest.approx(math.log(evidence_by_integration(exact, x[0])), abs=0.02)
    assert bounds[0] < bounds[1] - 1e-3
    assert bounds[1] < likelihood - 1e-3


def test_the_bound_that_charges_all_latents_is_below_the_likelihood_too():
    model = one_latent(divergence="full")
    x = mixtures(model, 1)
    with torch.no_grad():
        bounds = model.explain(x.expand(20_000, -1), generator=chance(3)).bound.value
    assert float(bounds.mean()) < math.log(evidence_by_integration(model, x[0])) - 1e-3


def test_one_stream_with_one_value_and_one_latent_is_integrated_exactly():
    model = one_latent(n_streams=1, n_values=1)
    x = mixtures(model, 1)
    with torch.no_grad():
        estimates = model.explain(x.expand(40_000, -1), generator=chance(3)).posterior
    mean = float(estimates.log_evidence.exp().mean())
    assert mean == pytest.approx(evidence_by_integration(model, x[0]), rel=0.02)


def test_a_perfect_encoder_would_make_the_bound_tight():
    """With a decoder that ignores its latent, q = p is the true posterior of the latents."""
    model = one_latent()
    with torch.no_grad():
        model.decoders.perceptrons.weights[0].zero_()
        model.encoders.heads.weights[-1].zero_()
        model.encoders.heads.biases[-1].zero_()
    x = mixtures(model, 3)
    bounds = model.explain(x, generator=chance(3)).bound.value.tolist()
    for datum in range(3):
        expected = math.log(evidence_by_integration(model, x[datum]))
        assert bounds[datum] == pytest.approx(expected, abs=1e-6)


def derivatives(model, batch, seed=2):
    """The change of the loss along a random direction of each parameter: told, and measured."""
    model.zero_grad()
    model.loss(batch, chance(7)).total.backward()
    directions = chance(seed)
    step = 1e-6
    for name, one in model.named_parameters():
        if one.grad is None:
            continue
        way = torch.randn(one.shape, generator=directions, dtype=one.dtype)
        told = float((one.grad * way).sum())
        measured = []
        for sign in (1, -1):
            with torch.no_grad():
                one += sign * step * way
                measured.append(float(model.loss(batch, chance(7)).total))
                one -= sign * step * way
        yield name, told, (measured[0] - measured[1]) / (2 * step)


@pytest.mark.parametrize(("noise", "divergence", "gain_spread"), KINDS)
@pytest.mark.parametrize("posterior", ["exact", "truncated"])
def test_gradients_are_those_of_finite_differences(noise, divergence, gain_spread, posterior):
    model = made(
        noise=noise,
        divergence=divergence,
        gain_spread=gain_spread,
        posterior=posterior,
        most_candidates=2,
        proposal_weight=0.0,  # its target is held fixed, which differences do not know
    )
    model.phase = "refine"
    batch = Batch(mixtures(model, 5))
    found = list(derivatives(model, batch))
    assert len(found) >= 8
    for name, told, measured in found:
        assert told == pytest.approx(measured, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("normalised", [False, True])
def test_gradients_of_experts_are_those_of_finite_differences(normalised):
    model = made(normalised=normalised)
    model.begin("experts")
    batch = Batch(mixtures(model, 6), torch.tensor([0, 1, 2, 2, 1, 0]))
    for name, told, measured in derivatives(model, batch):
        assert told == pytest.approx(measured, rel=1e-4, abs=1e-5), name


def test_gradients_with_known_patterns_are_those_of_finite_differences():
    model = made(posterior="truncated", proposal_weight=0.0)
    model.begin("refine")
    patterns = torch.tensor([[1, 0, 0], [-1, -1, -1], [1, 1, 1], [0, 0, 0], [-1, -1, -1]])
    batch = Batch(mixtures(model, 5), patterns=patterns)
    found = {name: (told, measured) for name, told, measured in derivatives(model, batch)}
    assert len(found) >= 8
    for name, (told, measured) in found.items():
        assert told == pytest.approx(measured, rel=1e-4, abs=1e-6), name


def test_the_proposal_learns_from_the_posterior_and_not_the_other_way_round():
    model = made()
    batch = Batch(mixtures(model, 4))
    gradients = []
    for weight in (0.0, 1.0):
        object.__setattr__(model.settings, "proposal_weight", weight)
        model.zero_grad()
        model.loss(batch, chance(7)).total.backward()
        head = model.encoders.heads.biases[-1].grad.clone()
        gradients.append((head, model.decoders.perceptrons.biases[-1].grad))
    difference = gradients[1][0] - gradients[0][0]
    assert float(difference[:, :-1].abs().max()) < 1e-12
    explained = model.explain(batch.inputs, generator=chance(7))
    proposal, presence = explained.latents.proposal, explained.posterior.presence
    expected = (proposal.sigmoid() - presence).mean(0)
    torch.testing.assert_close(difference[:, -1], expected)


@pytest.mark.parametrize("n_at_once", [1, 3])
def test_patterns_weighed_in_parts_give_the_same_numbers_and_gradients(monkeypatch, n_at_once):
    model = made(n_streams=4)
    model.phase = "refine"
    batch = Batch(mixtures(model, 3))
    found = []
    for n_patterns in (64, n_at_once):
        monkeypatch.setattr(posteriors, "PATTERNS_AT_ONCE", n_patterns)
        model.zero_grad()
        total = model.loss(batch, chance(7)).total
        total.backward()
        found.append([total.detach(), *(one.grad for one in trained(model))])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(parts, whole)


def trained(model):
    return [one for one in model.parameters() if one.grad is not None]
