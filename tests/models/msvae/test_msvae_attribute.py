"""Who is in a mixture: with the number of sources given or not, by the mean or by draws."""

import math
from itertools import combinations, product

import pytest
import torch
from tiny_msvae import SQUARE, chance, log_joint_by_hand, made, mixtures

from diarize.errors import BadCall
from diarize.layers.patterns import patterns_of_size
from diarize.models.msvae import attribute as attribution


def bright(**changes):
    """A model whose streams light up a pixel each, so that every mixture tells what is in it.

    Its latents are of no use, and its encoder knows: it gives the prior.
    """
    n_streams = changes.get("n_streams", 5)
    model = made(n_values=n_streams, scale=0.1, n_patterns=24, **{"n_streams": 5, **changes})
    with torch.no_grad():
        model.encoders.heads.weights[-1].zero_()
        model.encoders.heads.biases[-1].zero_()
        model.decoders.perceptrons.weights[-1] *= 0.1
        model.decoders.perceptrons.biases[-1].copy_(8 * torch.eye(n_streams) - 4)
    return model


def test_all_patterns_of_the_number_given_are_equally_likely_beforehand():
    model = made(n_streams=4)
    x = mixtures(model, 3)
    found = model.attribute(x, 2)
    latents = model.encoders(x)
    with torch.no_grad():
        sources, ratio = model.decoders(latents.mean), -latents.divergence()
    even = [0.5] * 4
    for datum in range(3):
        weights = {}
        for on in combinations(range(4), 2):
            pattern = [int(stream in on) for stream in range(4)]
            weights[on] = math.exp(
                log_joint_by_hand(
                    x[datum], sources[datum], pattern, even, 0.3, "laplace", ratio[datum].detach()
                )
            )
        best, total = max(weights, key=weights.get), sum(weights.values())
        assert found.pattern[datum].nonzero()[:, 0].tolist() == list(best)
        assert float(found.probability[datum]) == pytest.approx(weights[best] / total)
        expected = sum(weight for on, weight in weights.items() if 3 in on) / total
        assert float(found.presence[datum, 3]) == pytest.approx(expected)


def test_with_the_number_given_what_was_learned_of_presence_does_not_count():
    model = made(n_streams=4)
    x = mixtures(model, 5)
    before = model.attribute(x, 2)
    free = model.attribute(x)
    model.presence.copy_(torch.tensor([0.9, 0.01, 0.5, 0.02]))
    torch.testing.assert_close(model.attribute(x, 2).presence, before.presence)
    assert not torch.allclose(model.attribute(x).presence, free.presence)


@pytest.mark.parametrize("posterior", ["exact", "truncated"])
@pytest.mark.parametrize("n_samples", [0, 2])
@pytest.mark.parametrize("count", range(6))
def test_a_number_given_is_the_number_found(posterior, n_samples, count):
    model = made(n_streams=5, posterior=posterior, most_candidates=2)
    found = model.attribute(mixtures(model, 4), count, n_samples=n_samples, generator=chance())
    assert found.pattern.sum(1).tolist() == [count] * 4
    torch.testing.assert_close(found.presence.sum(1), torch.full((4,), float(count)).double())


@pytest.mark.parametrize("posterior", ["exact", "truncated"])
@pytest.mark.parametrize("readout", ["model", "weighed"])
@pytest.mark.parametrize("n_samples", [0, 3])
def test_mixtures_that_tell_plainly_what_is_in_them_are_told_right(posterior, readout, n_samples):
    model = bright(
        posterior=posterior, most_candidates=5, readout=readout, temperature=2.0, trust=0.01
    )
    on = torch.tensor(list(product((0, 1), repeat=5)))
    x = on.double()
    for count in (None, 2):
        there = torch.ones(32) == 1 if count is None else on.sum(1) == count
        found = model.attribute(x[there], count, n_samples=n_samples, generator=chance())
        assert torch.equal(found.pattern, on[there] == 1)
        assert float(found.probability.min()) > 0.5
        seen = (found.sources * found.pattern[:, :, None]).sum(1)
        assert float((seen - x[there]).abs().max()) < 0.4


def test_what_comes_back_is_of_the_kinds_that_the_contract_names():
    model = made()
    model.train()
    found = model.attribute(mixtures(model, 4))
    assert not model.training
    assert found.pattern.dtype == torch.bool
    assert found.sources.shape == (4, 3, 4)
    assert not found.sources.requires_grad
    assert 0 <= float(found.presence.min()) <= float(found.presence.max()) <= 1
    assert 0 < float(found.probability.min()) <= float(found.probability.max()) <= 1


def test_the_mean_of_the_latents_needs_no_chance():
    model = made()
    x = mixtures(model, 4)
    assert torch.equal(model.attribute(x).presence, model.attribute(x).presence)


@pytest.mark.parametrize("count", [None, 2])
def test_draws_are_averaged_over_p_of_x_and_s(count):
    model = made(n_streams=3)
    x = mixtures(model, 3)
    found = model.attribute(x, count, n_samples=3, generator=chance(8))
    generator, presence = chance(8), [0.5] * 3 if count else model.presence
    with torch.no_grad():
        latents = model.encoders(x)
        samples = [latents.sample(generator) for _ in range(3)]
        drawn = [(model.decoders(one), latents.log_ratio(one)) for one in samples]
    patterns = [one for one in product((0, 1), repeat=3) if count is None or sum(one) == count]
    for datum in range(3):
        weights = [
            sum(
                math.exp(
                    log_joint_by_hand(
                        x[datum], sources[datum], one, presence, 0.3, "laplace", ratio[datum]
                    )
                )
                for sources, ratio in drawn
            )
            for one in patterns
        ]
        assert float(found.probability[datum]) == pytest.approx(max(weights) / sum(weights))
        with_first = sum(w for w, one in zip(weights, patterns, strict=True) if one[0])
        assert float(found.presence[datum, 0]) == pytest.approx(with_first / sum(weights))


@pytest.mark.parametrize("divergence", ["gated", "full"])
@pytest.mark.parametrize("posterior", ["exact", "truncated"])
def test_the_same_draws_give_the_same(divergence, posterior):
    model = made(SQUARE, divergence=divergence, posterior=posterior, most_candidates=2)
    x = mixtures(model, 4)
    first, again, other = (
        model.attribute(x, n_samples=4, generator=chance(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first.presence, again.presence)
    assert not torch.equal(first.presence, other.presence)
    assert bool((first.probability <= 1 + 1e-9).all())


def test_where_patterns_of_a_size_are_too_many_those_of_likely_streams_are_weighed(monkeypatch):
    model = bright(n_streams=6)
    on = patterns_of_size(6, 3)
    with torch.no_grad():  # a proposal that sees what is plainly there
        encoders = model.encoders
        latents = encoders(on.double())
        object.__setattr__(latents, "proposal", 4 * on.double() - 2)
    encoders.forward = lambda mixtures: latents
    whole = model.attribute(on.double(), 3)
    monkeypatch.setattr(attribution, "MOST_PATTERNS", 10)  # 20 there are; of 5 streams, 10
    weighed = []
    weigh = attribution._of_size
    monkeypatch.setattr(
        attribution, "_of_size", lambda *given: weighed.append(weigh(*given)) or weighed[-1]
    )
    part = model.attribute(on.double(), 3)
    assert weighed[0].shape == (20, 10, 6)
    assert weighed[0].sum(2).unique().tolist() == [3]
    assert all(len({tuple(s) for s in one}) == 10 for one in weighed[0].tolist())
    assert torch.equal(part.pattern, on == 1)
    assert torch.equal(part.pattern, whole.pattern)
    assert bool((part.probability >= whole.probability - 1e-9).all())


@pytest.mark.parametrize("count", [0, 1, 4, 38, 40])
def test_of_forty_streams_any_number_can_be_given(count):
    model = made(n_streams=40, posterior="truncated", most_candidates=5).float()
    found = model.attribute(mixtures(model, 2).float(), count)
    assert found.pattern.sum(1).tolist() == [count] * 2


def test_what_cannot_be_meant_is_refused():
    model = made()
    x = mixtures(model, 2)
    for count in (-1, 4):
        with pytest.raises(BadCall, match=f"{count} sources in a mixture; 0 to 3 can be"):
            model.attribute(x, count)
    with pytest.raises(BadCall, match="2 samples want a generator"):
        model.attribute(x, n_samples=2)
    with pytest.raises(BadCall, match="-1 samples; 0 or more"):
        model.attribute(x, n_samples=-1, generator=chance())


def test_draws_of_a_full_divergence_average_what_each_says_of_the_pattern():
    model = made(n_streams=3, divergence="full", posterior="exact")
    x = mixtures(model, 1)
    found = model.attribute(x, n_samples=4, generator=chance(5))
    again, mean = chance(5), 0.0
    with torch.no_grad():
        latents = model.encoders(x)
        for _ in range(4):
            (sources,) = model.decoders(latents.sample(again))
            prior, scale = model.presence, float(model.scale)
            weights = [
                math.exp(log_joint_by_hand(x[0], sources, pattern, prior, scale, "laplace"))
                for pattern in product([0, 1], repeat=3)
            ]
            mean += sum(weights[4:]) / sum(weights) / 4
    assert float(found.presence[0, 0]) == pytest.approx(mean)
