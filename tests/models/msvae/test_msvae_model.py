"""An MS-VAE as its users see it: phases, what is held fixed, odd sizes, and clear errors."""

import math
from dataclasses import replace

import jaxtyping
import pytest
import torch
from tiny_msvae import SQUARE, TINY, chance, log_joint_by_hand, made, mixtures

from diarize.config import build
from diarize.errors import BadCall, BadFile
from diarize.layers.perceptron import StreamPerceptron
from diarize.models import make_model
from diarize.models.contract import Batch, MixtureModel, Trainable
from diarize.models.msvae.config import MSVAESettings
from diarize.models.msvae.model import MSVAE

FOUR = torch.tensor([[1, 0, 1], [-1, -1, -1], [0, 0, 0], [1, 1, 1]])
SIZES = [
    {"posterior": "exact"},
    {"posterior": "truncated", "most_candidates": 3},
    {"posterior": "truncated", "most_candidates": 2},
    {"posterior": "truncated", "most_candidates": 2, "grow": False},
    {"posterior": "truncated", "most_candidates": 2, "normalised": True},
]


def steps(model, batch, n_steps=3, rate=0.05):
    """Train `model` a little, as it stands."""
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=rate)
    for step in range(n_steps):
        optimizer.zero_grad()
        model.loss(batch, chance(step)).total.backward()
        optimizer.step()


def copied(module):
    return {name: one.clone() for name, one in module.state_dict().items()}


def test_it_keeps_the_contracts():
    model = make_model("msvae", {"n_streams": 2, "n_values": 9, "encoder_widths": [2, 3]}, "x")
    assert isinstance(model, Trainable)
    assert isinstance(model, MixtureModel)
    assert model.phases == ("experts", "mixtures", "refine")
    assert model.settings.encoder_widths == (2, 3)


# ---------------------------------------------------------------- phases


@pytest.mark.parametrize("settings", [TINY, SQUARE], ids=["separate", "shared"])
def test_nothing_of_the_decoders_moves_while_mixtures_are_learned(settings):
    model = made(settings, normalised=True)
    model.begin("mixtures")
    x = mixtures(model, 6)
    decoders, encoders = copied(model.decoders), copied(model.encoders)
    assert any("running_mean" in name for name in decoders)
    steps(model, Batch(x))
    model.end_epoch()
    model.train()
    steps(model, Batch(x))
    assert all(torch.equal(one, decoders[name]) for name, one in copied(model.decoders).items())
    assert any(not torch.equal(one, encoders[name]) for name, one in copied(model.encoders).items())


@pytest.mark.parametrize("phase", ["experts", "refine"])
def test_decoders_and_their_normalisations_learn_in_the_other_phases(phase):
    model = made(normalised=True)
    model.begin("mixtures")
    model.begin(phase)
    decoders = copied(model.decoders)
    steps(model, Batch(mixtures(model, 6), torch.tensor([0, 1, 2, 0, 1, 2])))
    moved = {name for name, one in copied(model.decoders).items() if (one != decoders[name]).any()}
    assert any("running_mean" in name for name in moved)
    assert any("weights.0" in name for name in moved)


def test_an_expert_learns_from_its_own_class_alone():
    model = made(proposal_weight=0.0)
    model.begin("experts")
    decoders = copied(model.decoders)
    steps(model, Batch(mixtures(model, 4), torch.tensor([1, 1, 1, 1])))
    for name, one in model.decoders.state_dict().items():
        assert torch.equal(one[0], decoders[name][0])
        assert torch.equal(one[2], decoders[name][2])
        assert not torch.equal(one[1], decoders[name][1])


def test_an_expert_s_loss_is_its_own_bound_written_out():
    settings = {"proposal_weight": 0.0, "expert_divergence": 0.5, "expert_scale": 0.2}
    model = made(**settings)
    model.begin("experts")
    x, labels = mixtures(model, 3), torch.tensor([2, 0, 1])
    losses = model.loss(Batch(x, labels), chance(6))
    with torch.no_grad():
        latents = model.encoders(x)
        sources = model.decoders(latents.sample(chance(6)))
    expected = 0.0
    for datum, label in enumerate(labels.tolist()):
        off = (x[datum] - sources[datum, label]).abs().sum()
        mean, log_variance = latents.mean[datum, label], latents.log_variance[datum, label]
        kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
        expected += float(off / 0.2 + 4 * math.log(0.4) + 0.5 * kl) / 3
    assert losses.total.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("settings", [TINY, SQUARE], ids=["separate", "shared"])
def test_fresh_encoders_are_the_same_whatever_was_learned_or_drawn_before(settings):
    found = []
    for seed in (0, 1):
        model = made(settings, seed=seed, fresh_encoders=True)
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        model.begin("mixtures")
        assert torch.equal(torch.get_rng_state(), before)
        found.append(copied(model.encoders))
    assert all(torch.equal(one, found[1][name]) for name, one in found[0].items())


def test_encoders_go_on_from_the_experts_unless_told_to_begin_anew():
    model = made()
    before = copied(model.encoders)
    model.begin("mixtures")
    assert all(torch.equal(one, before[name]) for name, one in copied(model.encoders).items())


def test_coarse_products_change_the_loss_little():
    losses = []
    for precision in ("float32", "bfloat16"):
        model = made(SQUARE, training_precision=precision).float()
        model.begin("refine")
        batch = Batch(mixtures(model, 8).float())
        losses.append(model.loss(batch, chance(2)).total)
        losses[-1].backward()
        assert losses[-1].dtype == torch.float32
    assert losses[0].item() != losses[1].item()
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.05, abs=0.5)


@pytest.mark.parametrize("polish_steps", [0, 5])
def test_coarse_products_are_for_training_alone(polish_steps):
    found = []
    for precision in ("float32", "bfloat16"):
        settings = {"training_precision": precision, "polish_steps": polish_steps}
        model = made(SQUARE, **settings).float()
        model.begin("mixtures")
        found.append(model.attribute(mixtures(model, 5).float()))
    assert torch.equal(found[0].sources, found[1].sources)
    assert torch.equal(found[0].presence, found[1].presence)


# ---------------------------------------------------------------- known patterns


@pytest.mark.parametrize("posterior", ["exact", "truncated"])
@pytest.mark.parametrize("divergence", ["gated", "full"])
def test_a_mixture_of_known_pattern_costs_what_that_pattern_does(posterior, divergence):
    model = made(
        posterior=posterior,
        divergence=divergence,
        n_patterns=1,
        most_candidates=1,
        proposal_weight=0.0,
        pattern_weight=0.0,
    )
    x = mixtures(model, 4)
    total = model.loss(Batch(x, patterns=FOUR), chance(6)).total
    known = FOUR.clamp(min=0).double()
    with torch.no_grad():
        explained = model.explain(x, generator=chance(6), known=known)
        sample = explained.latents.sample(chance(6))
        sources, ratio = model.decoders(sample), explained.latents.log_ratio(sample)
    expected = 0.0
    for datum, pattern in enumerate(FOUR.tolist()):
        if pattern[0] < 0:
            expected -= float(explained.bound.value[datum]) / 4
            continue
        charged = ratio[datum] if divergence == "gated" else None
        expected -= (
            log_joint_by_hand(
                x[datum], sources[datum], pattern, model.presence, 0.3, "laplace", charged
            )
            - float(explained.bound.divergence[datum])
        ) / 4
    assert total.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("posterior", ["exact", "truncated"])
def test_a_known_pattern_is_always_weighed_and_only_once(posterior):
    model = made(posterior=posterior, n_patterns=2, most_candidates=1)
    x = mixtures(model, 4)
    known = FOUR.clamp(min=0).double()
    found = model.explain(x, known=known).posterior
    assert torch.equal(found.patterns[:, 0], known)
    again = (found.patterns == known[:, None]).all(2)
    assert torch.equal(found.probability[again] > 0, again.nonzero()[:, 1] == 0)
    if posterior == "exact":
        torch.testing.assert_close(found.log_evidence, model.explain(x).posterior.log_evidence)


def test_the_more_a_known_pattern_is_doubted_the_more_it_costs():
    x = mixtures(made(), 4)
    costs = [
        made(pattern_weight=weight).loss(Batch(x, patterns=FOUR), chance(1)).total.item()
        for weight in (0.0, 1.0, 2.0)
    ]
    assert costs[1] - costs[0] == pytest.approx(costs[2] - costs[1])
    assert costs[1] > costs[0]


def test_patterns_that_are_all_unknown_change_no_exact_loss():
    model = made()
    x = mixtures(model, 4)
    unknown = torch.full((4, 3), -1)
    losses = [model.loss(one, chance(1)) for one in (Batch(x), Batch(x, patterns=unknown))]
    assert losses[0].total.item() == pytest.approx(losses[1].total.item())


# ---------------------------------------------------------------- symmetries


def permuted(model, order):
    """The same model with its streams in another order."""
    other = MSVAE(model.settings).double()
    weights = {}
    for name, one in model.state_dict().items():
        if name.startswith(("encoders", "decoders")) and "norms" not in name:
            weights[name] = one[order]
        elif "norms" in name and one.ndim:
            weights[name] = one.view(len(order), -1)[order].reshape(-1)
        elif name in ("presence", "statistics.presence"):
            weights[name] = one[order]
        else:
            weights[name] = one
    other.load_state_dict(weights)
    return other.eval()


@pytest.mark.parametrize("changes", SIZES)
@pytest.mark.parametrize("count", [None, 2])
def test_another_order_of_streams_gives_the_same_in_that_order(changes, count):
    model = made(n_streams=5, **changes)
    order = torch.tensor([3, 0, 4, 1, 2])
    other = permuted(model, order)
    x = mixtures(model, 8)
    with torch.no_grad():
        mine, its = model.explain(x), other.explain(x)
    torch.testing.assert_close(its.bound.value, mine.bound.value)
    torch.testing.assert_close(its.sources, mine.sources[:, order])
    first, second = model.attribute(x, count), other.attribute(x, count)
    assert torch.equal(second.pattern, first.pattern[:, order])
    torch.testing.assert_close(second.presence, first.presence[:, order])
    torch.testing.assert_close(second.probability, first.probability)


@pytest.mark.parametrize("settings", [TINY, SQUARE], ids=["separate", "shared"])
@pytest.mark.parametrize("changes", SIZES)
@pytest.mark.parametrize("count", [None, 1])
def test_a_mixture_is_explained_alone_as_in_company(settings, changes, count):
    model = made(settings, **changes)
    x = mixtures(model, 7)
    together = model.attribute(x, count)
    for row in range(7):
        alone = model.attribute(x[row : row + 1], count)
        assert torch.equal(alone.pattern[0], together.pattern[row])
        torch.testing.assert_close(alone.presence[0], together.presence[row])
        torch.testing.assert_close(alone.sources[0], together.sources[row])
        torch.testing.assert_close(alone.probability[0], together.probability[row])


@pytest.mark.parametrize("changes", SIZES)
def test_single_precision_gives_what_double_does(changes):
    double, single = made(**changes), made(**changes).float()
    x = mixtures(double, 10)
    with torch.no_grad():
        exact = double.explain(x).bound.value
        rough = single.explain(x.float()).bound.value
    torch.testing.assert_close(rough.double(), exact, rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- odd sizes


@pytest.mark.parametrize("posterior", ["exact", "truncated"])
def test_a_mixture_of_nothing_is_seen_to_be_nothing(posterior):
    model = made(posterior=posterior, n_values=16, scale=0.05)
    with torch.no_grad():  # whatever is on is bright
        model.decoders.perceptrons.biases[-1] += 3
    found = model.attribute(torch.zeros(2, 16, dtype=torch.float64))
    assert found.pattern.tolist() == [[False] * 3] * 2
    assert float(found.presence.max()) < 1e-6
    assert float(found.probability.min()) > 1 - 1e-6


@pytest.mark.parametrize("posterior", ["exact", "truncated"])
@pytest.mark.parametrize("divergence", ["gated", "full"])
def test_one_stream_is_enough(posterior, divergence):
    model = made(n_streams=1, posterior=posterior, divergence=divergence)
    x = mixtures(model, 5)
    found = model.attribute(x)
    assert found.presence.shape == (5, 1)
    model.begin("mixtures")
    steps(model, Batch(x, patterns=torch.tensor([[1], [0], [-1], [-1], [1]])))
    assert set(model.end_epoch()) == {"pi_0", "b"}


@pytest.mark.parametrize("posterior", ["exact", "truncated"])
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_one_value_is_enough(posterior, noise):
    model = made(n_values=1, posterior=posterior, noise=noise)
    x = mixtures(model, 5)
    assert model.attribute(x).sources.shape == (5, 3, 1)
    for phase in model.phases:
        model.begin(phase)
        steps(model, Batch(x, torch.tensor([0, 1, 2, 0, 1])))
        assert bool(model.loss(Batch(x, torch.zeros(5).int()), chance()).total.isfinite())


def test_one_latent_and_no_hidden_layer_are_enough():
    model = made(n_latents=1, encoder_widths=(), decoder_widths=())
    x = mixtures(model, 5)
    model.begin("refine")
    steps(model, Batch(x))
    assert model.attribute(x).pattern.shape == (5, 3)


def test_forty_streams_are_trained_at_a_cost_that_does_not_explode(monkeypatch):
    model = made(
        n_streams=40, n_values=16, posterior="truncated", n_patterns=20, most_candidates=8
    ).float()
    x = mixtures(model, 12).float()
    decoded = []
    some = StreamPerceptron.some

    def counted(self, inputs, wanted):
        decoded.append(int(wanted.sum()))
        return some(self, inputs, wanted)

    monkeypatch.setattr(StreamPerceptron, "some", counted)
    for phase in ("mixtures", "refine"):
        model.begin(phase)
        before = model.loss(Batch(x), chance()).total.item()
        steps(model, Batch(x), n_steps=8, rate=0.01)
        assert model.loss(Batch(x), chance()).total.item() < before
    assert set(decoded) == {12 * 8}
    with torch.no_grad():
        posterior = model.explain(x).posterior
    assert posterior.patterns.shape[1] <= 20 + 40
    assert bool(posterior.log_evidence.isfinite().all())
    assert len(model.end_epoch()) == 41
    assert model.attribute(x, 4).pattern.sum(1).tolist() == [4] * 12


def test_a_truncated_posterior_takes_more_patterns_than_there_are():
    model = made(posterior="truncated", n_patterns=1000, most_candidates=50)
    posterior = model.explain(mixtures(model, 3)).posterior
    assert int((posterior.probability > 0).sum(1).max()) == 8


# ---------------------------------------------------------------- what cannot be meant


@pytest.fixture
def shapes_unchecked():
    """The library without the checks of shapes that these tests add, as its users have it."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def refused(message, call):
    with pytest.raises(BadCall, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("phase", ["experts", "mixtures", "refine"])
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(2, 5), r"inputs of shape \(2, 5\); expected \[batch, 4\]"),
        (torch.zeros(4), r"inputs of shape \(4,\)"),
        (torch.zeros(2, 2, 2), r"inputs of shape \(2, 2, 2\)"),
        (torch.zeros(0, 4), "inputs of no datum; one or more"),
        (torch.tensor([[0.0, math.nan, 0.0, 0.0]] * 2), "not finite"),
        (torch.tensor([[0.0, math.inf, 0.0, 0.0]] * 2), "not finite"),
    ],
)
def test_inputs_that_cannot_be_meant_are_refused(phase, inputs, message):
    model = made().float()
    model.begin(phase)
    batch = Batch(inputs, torch.zeros(len(inputs)).long())
    refused(message, lambda: model.loss(batch, chance()))
    refused(message, lambda: model.attribute(inputs))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels; this batch has none"),
        ([0, 3], "label 3; the streams are 0 to 2"),
        ([-1, 0], "label -1; the streams are 0 to 2"),
    ],
)
def test_labels_that_name_no_stream_are_refused(labels, message):
    model = made()
    model.begin("experts")
    labels = None if labels is None else torch.tensor(labels)
    refused(message, lambda: model.loss(Batch(mixtures(model, 2), labels), chance()))


@pytest.mark.usefixtures("shapes_unchecked")
def test_labels_that_are_not_one_each_are_refused():
    model = made()
    model.begin("experts")
    batch = Batch(mixtures(model, 2), torch.tensor([0, 1, 2]))
    refused(r"labels of shape \(3,\); expected \(2,\)", lambda: model.loss(batch, chance()))


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (torch.zeros(2, 4).int(), r"patterns of shape \(2, 4\); expected \(2, 3\)"),
        (torch.zeros(3, 3).int(), r"patterns of shape \(3, 3\); expected \(2, 3\)"),
        (torch.full((2, 3), 2), "2 in a pattern; a stream is on"),
        (torch.full((2, 3), -2), "-2 in a pattern"),
    ],
)
def test_patterns_that_cannot_be_meant_are_refused(patterns, message):
    model = made()
    model.begin("mixtures")
    batch = Batch(mixtures(model, 2), patterns=patterns)
    refused(message, lambda: model.loss(batch, chance()))


@pytest.mark.parametrize("phase", ["experts", "mixtures"])
def test_a_batch_of_one_is_refused_only_where_normalisations_learn(phase):
    normalised, plain = made(SQUARE), made()
    for model in (normalised, plain):
        model.begin(phase)
    one, other = (Batch(mixtures(model, 1), torch.tensor([0])) for model in (normalised, plain))
    refused("a batch of one datum", lambda: normalised.loss(one, chance()))
    assert bool(normalised.eval().loss(one, chance()).total.isfinite())
    assert bool(plain.loss(other, chance()).total.isfinite())


def test_phases_and_sizes_there_are_not_are_refused():
    refused(
        "no phase 'expert'; there are experts, mixtures, refine", lambda: made().begin("expert")
    )
    refused('21 streams.*"truncated"', lambda: MSVAE(replace(TINY, n_streams=21)))
    refused("not square", lambda: MSVAE(replace(SQUARE, n_values=17)))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"n_streams": 0}, "n_streams = 0; 1 or more"),
        ({"most_candidates": 0}, "most_candidates = 0"),
        ({"scale": 0.0}, "scale = 0.0; more than 0"),
        ({"gain_spread": -0.1}, "gain_spread = -0.1; 0 or more"),
        ({"polish_steps": -1}, "polish_steps = -1; 0 or more"),
        ({"decoder_widths": [5, 0]}, r"decoder_widths = \(5, 0\); each 1 or more"),
        ({"presence": 1.0}, "presence = 1.0; between 0 and 1"),
        ({"encoder_widths": [5]}, "encoder_widths"),
        ({"noise": "cauchy"}, "'laplace', 'gaussian'"),
        ({"streams": 3}, "did you mean 'n_streams'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(table, message):
    with pytest.raises(BadFile, match=message):
        build(MSVAESettings, table, "my.toml [model]")


@pytest.mark.parametrize("changes", [{}, {"gain_spread": 0.5}, {"normalised": True}])
def test_a_stream_decoded_alone_is_the_same_as_among_all(changes):
    model = made(**changes)
    latents = torch.randn(5, 3, model.encoders.n_latents, generator=chance(2), dtype=torch.float64)
    streams = torch.tensor([2, 0, 0, 1, 2])
    everything = model.decoders(latents)[torch.arange(5), streams]
    torch.testing.assert_close(model.decoders.alone(latents, streams), everything)


def trust_learned(n_patterns):
    """What a known pattern that the proposal finds least likely teaches of trust in it."""
    model = made(n_streams=3, n_patterns=n_patterns, grow=False, posterior="truncated")
    model.begin("mixtures")
    x = mixtures(model, 4)
    with torch.no_grad():
        least = (model.encoders(x).proposal < 0).long()
    model.loss(Batch(x, patterns=least), chance(1)).total.backward()
    return float(model.readout.trust.grad)


def test_a_pattern_that_no_proposal_would_name_says_nothing_of_trust():
    assert trust_learned(n_patterns=7) == 0
    assert trust_learned(n_patterns=8) > 0
