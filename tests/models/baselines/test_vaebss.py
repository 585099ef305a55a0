"""VAE-BSS: its bound by hand, its epoch's updates, and what it separates."""

import math

import pytest
import torch

from diarize.config import build
from diarize.errors import BadCall, BadFile
from diarize.models.baselines.vaebss import VAEBSS, VAEBSSSettings
from diarize.models.contract import Autoencoder, Batch, MixtureModel, Trainable

SMALL = VAEBSSSettings(n_pixels=12, n_sources=3, n_latent=2, widths=(8, 5), beta_epochs=4)


def made(settings=SMALL, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = VAEBSS(settings)
    model.begin("mixtures")
    return model


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def mixtures():
    return 3 * torch.rand(6, 12, generator=chance(1))


def blocks(n_mixtures, seed=0):
    """Sums of two of four blocks of light, none twice in one."""
    images = torch.eye(4).repeat_interleave(4, dim=1)
    chosen = torch.rand(n_mixtures, 4, generator=chance(seed)).argsort(dim=1)[:, :2]
    return images[chosen].sum(dim=1), images[chosen]


def test_it_keeps_the_contract():
    model = made()
    assert isinstance(model, Trainable)
    assert model.phases == ("mixtures",)
    assert build(VAEBSS.settings_type, {"n_sources": 3, "widths": [8]}, "x").widths == (8,)


def test_the_paper_s_size_is_the_default():
    with torch.device("meta"):
        model = VAEBSS(VAEBSSSettings())
    widths = [layer.out_features for layer in model.encoder if isinstance(layer, torch.nn.Linear)]
    assert widths == [700, 600, 500, 400, 300, 2 * 2 * 20]
    widths = [layer.out_features for layer in model.decoder if isinstance(layer, torch.nn.Linear)]
    assert widths == [300, 400, 500, 600, 700, 784]


def test_the_loss_is_the_bound_written_out(mixtures):
    model = made().eval()
    losses = model.loss(Batch(mixtures), chance(3))
    means, log_variances = model.encode(mixtures)
    drawn = torch.randn(means.shape, generator=chance(3))
    found = model.decode(means + (log_variances / 2).exp() * drawn).sum(dim=1)
    noise = torch.distributions.Laplace(found, 0.1)
    prior = torch.distributions.Normal(0, 1)
    latents = torch.distributions.Normal(means, (log_variances / 2).exp())
    kl = torch.distributions.kl_divergence(latents, prior).sum(dim=(1, 2)).mean()
    expected = -noise.log_prob(mixtures).sum(dim=1).mean() + 0.5 / 4 * kl
    torch.testing.assert_close(losses.total, expected)
    torch.testing.assert_close(losses.parts["kl"], kl.detach())
    assert not any(part.requires_grad for part in losses.parts.values())


def test_every_parameter_gets_a_finite_gradient(mixtures):
    model = made()
    model.loss(Batch(mixtures), chance()).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_the_same_chance_gives_the_same_loss(mixtures):
    first, second = (made().loss(Batch(mixtures), chance(7)).total for _ in range(2))
    assert float(first.detach()) == float(second.detach())
    assert float(made().loss(Batch(mixtures), chance(8)).total.detach()) != float(first.detach())


def test_the_scale_becomes_the_mean_error_of_the_epoch_whatever_the_batches(mixtures):
    model, errors = made(), []
    for part in (mixtures[:4], mixtures[4:]):
        losses = model.loss(Batch(part), chance())
        errors += [float(losses.parts["error"])] * len(part)
    scale = model.end_epoch()["b"]
    assert scale == pytest.approx(sum(errors) / 6 / 12, rel=1e-6)
    assert float(model.scale) == pytest.approx(scale)


def test_the_learned_scale_is_the_best_there_is(mixtures):
    model = made()
    error = float(model.loss(Batch(mixtures), chance()).parts["error"])
    best = model.end_epoch()["b"]

    def cost(scale):
        return error / scale + 12 * math.log(2 * scale)

    assert cost(best) < min(cost(best * 0.99), cost(best * 1.01))


def test_a_fixed_scale_stays(mixtures):
    settings = VAEBSSSettings(
        n_pixels=12, widths=(8,), n_latent=2, scale=0.7071, learns_scale=False
    )
    model = made(settings)
    model.loss(Batch(mixtures), chance())
    assert model.end_epoch()["b"] == pytest.approx(0.7071)


def test_an_epoch_without_batches_leaves_the_scale():
    assert made().end_epoch()["b"] == pytest.approx(0.1)


def test_the_weight_of_the_divergence_rises_in_equal_steps():
    model = made()
    assert [model.end_epoch()["beta"] for _ in range(6)] == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]


def test_what_is_saved_in_the_middle_of_an_epoch_goes_on_to_the_same_numbers(mixtures):
    model, again = made(), made(seed=9)
    model.loss(Batch(mixtures), chance())
    again.load_state_dict(model.state_dict())
    again.begin("mixtures")
    ends = []
    for one in (model, again):
        total = float(one.loss(Batch(mixtures[:3]), chance(2)).total.detach())
        ends.append((total, one.end_epoch(), float(one.separate(mixtures).sum())))
    assert ends[0] == ends[1]


def test_sources_lie_between_0_and_1_and_masked_ones_sum_to_the_mixture(mixtures):
    model = made()
    sources, masked = model.separate(mixtures), model.separate(mixtures, mask=True)
    assert sources.shape == (6, 3, 12)
    assert 0 <= float(sources.min()) <= float(sources.max()) <= 1
    assert torch.allclose(masked.sum(dim=1), mixtures, atol=1e-5)
    shares = sources / sources.sum(dim=1, keepdim=True)
    assert torch.allclose(masked, shares * mixtures[:, None], atol=1e-5)
    assert model.training


def test_decoders_that_went_dark_make_no_nan(mixtures):
    model = made()
    with torch.no_grad():
        model.decoder[-2].bias.fill_(-1e4)
    assert torch.isfinite(model.separate(mixtures, mask=True)).all()


def test_a_mixture_is_separated_alone_as_among_others(mixtures):
    model = made()
    together = model.separate(mixtures)
    alone = torch.cat([model.separate(one[None]) for one in mixtures])
    assert torch.allclose(together, alone, atol=1e-6)


def test_separation_changes_nothing_in_the_model(mixtures):
    model = made()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.separate(mixtures)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_it_learns_to_add_up_two_blocks_of_light():
    settings = VAEBSSSettings(n_pixels=16, n_sources=2, n_latent=3, widths=(32,), beta_epochs=1)
    model = made(settings)
    inputs, _ = blocks(256)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    generator, first = chance(4), None
    for _ in range(150):
        total = model.loss(Batch(inputs), generator).total
        first = float(total.detach()) if first is None else first
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        model.end_epoch()
    held_out, _ = blocks(64, seed=1)
    error = (model.separate(held_out).sum(dim=1) - held_out).abs().mean()
    assert float(total.detach()) < first
    assert float(error) < 0.15  # of values whose mean is 0.5


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(4, 11), r"shape \(4, 11\); expected batch x 12"),
        (torch.zeros(4, 3, 4), "expected batch x 12"),
        (torch.full((4, 12), torch.nan), "NaN"),
        (torch.zeros(1, 12), "wants two or more"),
    ],
)
def test_batches_that_cannot_be_meant_are_refused(inputs, message):
    with pytest.raises(BadCall, match=message):
        made().loss(Batch(inputs), chance())


def test_there_is_one_phase():
    with pytest.raises(BadCall, match="no phase 'experts'"):
        made().begin("experts")


@pytest.mark.parametrize(
    "settings",
    [
        {"n_sources": 0},
        {"widths": []},
        {"widths": [5, 0]},
        {"beta": -0.1},
        {"scale": 0.0},
        {"beta_epochs": 0},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings):
    (name,) = settings
    with pytest.raises(BadFile, match=f"conf: {name} = .*expected"):
        build(VAEBSSSettings, settings, "conf")


def test_attribution_is_the_separation_without_classes(mixtures):
    model = made()
    assert isinstance(model, MixtureModel)
    assert isinstance(model, Autoencoder)
    found = model.attribute(mixtures, 3)
    assert torch.equal(found.sources, model.separate(mixtures))
    assert (found.pattern, found.probability, found.presence) == (None, None, None)
    drawn = model.attribute(mixtures, 3, n_samples=2, generator=chance())
    assert torch.equal(drawn.sources, found.sources)


@pytest.mark.parametrize(("count", "told"), [(None, "an unknown number of"), (2, "2")])
def test_it_must_be_told_the_number_of_sources_it_was_made_for(mixtures, count, told):
    with pytest.raises(BadCall, match=f"mixtures of {told} sources; this model is of 3 sources"):
        made().attribute(mixtures, count)
