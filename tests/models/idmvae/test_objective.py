"""What IDMVAE's objective costs, by hand."""

import dataclasses
import math

import pytest
import torch

from diarize.corpora.batch import Views
from diarize.errors import BadCall, BadFile
from diarize.models import make_model
from diarize.models.contract import MultiviewModel
from diarize.models.idmvae.config import IDMVAESettings, ViewSettings
from diarize.models.idmvae.latents import (
    Posterior,
    divergence,
    drawn,
    log_density,
    log_mixture,
    product,
)
from diarize.models.idmvae.model import IDMVAE
from diarize.models.idmvae.networks import ResidualBlock, ViewNetworks
from diarize.models.idmvae.objective import Seen, augmented

PIXELS = ViewSettings(channels=1, side=4, widths=(3, 4), copies=3)
SMALL = {"views": (PIXELS,), "n_shared": 2, "n_private": 3}


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def made(**others):
    torch.manual_seed(0)
    model = IDMVAE(IDMVAESettings(**{**SMALL, **others}))
    model.begin("views")
    return model


def batch(n_data=6, present=None, size=48):
    return Views(torch.rand(n_data, size, generator=chance(5)), present=present)


@pytest.fixture(autouse=True)
def torch_s_chance_kept():
    with torch.random.fork_rng(devices=[]):
        yield


def test_patches_are_taken_apart_and_put_together_where_they_were():
    view = ViewSettings(channels=2, side=4, patch=2, widths=(3, 4))
    network = ViewNetworks(view, 2, 3)
    image = torch.arange(32.0)[None]
    places = network._shaped(image)
    assert tuple(places.shape) == (1, 8, 2, 2)  # every channel's four pixels of each patch
    assert places[0, :4, 0, 1].tolist() == [2.0, 3.0, 6.0, 7.0]
    network.decoder = torch.nn.Identity()
    network.decoder.forward = lambda _: places
    assert torch.equal(network.decode(torch.zeros(1, 2), torch.zeros(1, 3)), image)


@pytest.mark.parametrize("others", [{"patch": 3}, {"patch": 0}, {"patch": 2, "widths": (3, 4, 5)}])
def test_patches_that_do_not_fit_the_image_are_refused(others):
    with pytest.raises(BadCall, match=r"patch = |cannot be halved"):
        ViewSettings(side=4, **{"widths": (3, 4), **others})


def test_normalised_means_of_shared_latents_have_variance_1_and_know_real_views_alone():
    view = ViewSettings(channels=1, side=4, widths=(3, 4), copies=3, norm="batch")
    model = made(views=(view,))
    means = model.networks[0].encode_shared(torch.rand(50, 16, generator=chance(1))).mean
    torch.testing.assert_close(means.var(0, correction=0), torch.ones(2), atol=0.02, rtol=0)
    model = made(views=(view,), augment_weight=0.0)
    model.loss(batch(), chance())
    alone = {name: one.clone() for name, one in model.named_buffers() if "running" in name}
    both = made(views=(view,), augment_weight=20.0)
    both.loss(batch(), chance())
    assert len(alone) == 2 * 3 * 5 * 2 + 3 * 2  # two encoders of three views, and shared means
    for name, one in both.named_buffers():
        if "running" in name:
            assert torch.equal(one, alone[name])
    with pytest.raises(BadCall, match="norm = 'batch' of a view of kind 'vector'"):
        ViewSettings(kind="vector", n_values=4, norm="batch")


def test_means_of_private_latents_are_normalised_where_asked():
    values = torch.rand(50, 16, generator=chance(1))
    for asked in (False, True):
        view = ViewSettings(
            channels=1, side=4, widths=(3, 4), copies=3, norm="batch", norm_private=asked
        )
        spread = made(views=(view,)).networks[0].encode_private(values).mean.var(0, correction=0)
        assert bool(((spread - 1).abs() < 0.02).all()) == asked
    with pytest.raises(BadCall, match="norm_private = true with norm = 'none'"):
        ViewSettings(norm_private=True)


def test_residual_blocks_of_decoders_add_as_much_as_they_are_told():
    network = ViewNetworks(ViewSettings(side=4, widths=(3, 4), decoder_step=0.5), 2, 3)
    blocks = [one for one in network.decoder.modules() if isinstance(one, ResidualBlock)]
    assert [one.step for one in blocks] == [0.5, 0.5]
    values = torch.rand(2, 4, 1, 1, generator=chance())
    half = blocks[0](values) - values
    blocks[0].step = 1.0
    torch.testing.assert_close(blocks[0](values) - values, 2 * half)
    seen = [one.step for one in network.shared.modules() if isinstance(one, ResidualBlock)]
    assert seen == [0.1, 0.1]
    with pytest.raises(BadCall, match=r"decoder_step = 0.0 of a view"):
        ViewSettings(decoder_step=0.0)


@pytest.mark.parametrize("shape", ["normal", "laplace"])
def test_draws_have_the_mean_and_the_density_they_are_said_to_have(shape):
    mean, scale = torch.full((20_000, 1), 1.0), torch.full((1, 1), 2.0)
    found = drawn(shape, mean, scale, chance())
    spread = {"normal": 2.0, "laplace": 2.0 * math.sqrt(2)}[shape]
    assert found.mean().item() == pytest.approx(1.0, abs=0.06)
    assert found.std().item() == pytest.approx(spread, abs=0.08)
    entropy = {"normal": 0.5 * math.log(2 * math.pi * math.e * 4), "laplace": math.log(4 * math.e)}
    told = -log_density(shape, found, mean, scale).mean().item()
    assert told == pytest.approx(entropy[shape], abs=0.03)


def test_a_mixture_counts_only_the_experts_that_are_there():
    one = Posterior(torch.zeros(1, 1), torch.ones(1, 1))
    other = Posterior(torch.full((1, 1), 50.0), torch.ones(1, 1))
    at = torch.zeros(1, 1)
    alone = log_mixture("normal", at, [one, other], torch.tensor([[True, False]]))
    both = log_mixture("normal", at, [one, other], torch.tensor([[True, True]]))
    assert alone.item() == pytest.approx(-0.5 * math.log(2 * math.pi), rel=1e-5)
    assert both.item() == pytest.approx(alone.item() - math.log(2), rel=1e-5)


def test_a_product_of_two_experts_and_the_prior_by_hand():
    one = Posterior(torch.tensor([[2.0]]), torch.tensor([[1.0]]))
    other = Posterior(torch.tensor([[-1.0]]), torch.tensor([[0.5]]))
    found = product([one, other], torch.tensor([[True, True]]), 1.0)
    assert found.mean.item() == pytest.approx((2 * 1 - 1 * 4) / 6)
    assert found.scale.item() == pytest.approx(math.sqrt(1 / 6))
    assert divergence(Posterior(torch.tensor([[1.0]]), torch.tensor([[2.0]])), 2.0).item() == (
        pytest.approx(0.125)
    )


def test_without_its_weights_the_loss_is_the_bound_alone():
    plain = made(cross_weight=0.0, augment_weight=0.0)
    losses = plain.loss(batch(), chance())
    assert set(losses.parts) == {"reconstruction", "divergence"}
    wanted = 2.5 * losses.parts["divergence"] + losses.parts["reconstruction"]
    torch.testing.assert_close(losses.total.detach(), wanted)


def test_weights_count_each_part_once():
    losses = made().loss(batch(), chance())
    parts = losses.parts
    wanted = parts["reconstruction"] + 2.5 * parts["divergence"]
    wanted = wanted + 80 * parts["cross"] + 20 * parts["augment"]
    torch.testing.assert_close(losses.total.detach(), wanted)


@pytest.mark.parametrize("joint", ["mixture", "product"])
def test_values_of_missing_views_count_for_nothing(joint):
    present = torch.ones(6, 3, dtype=torch.bool)
    present[:3, 1], present[4, 0] = False, False
    model = made(joint=joint, allow_missing=True)
    there = batch(present=present)
    other = there.inputs.clone()
    other.view(6, 3, 16)[~present] = torch.nan
    costs = [
        model.loss(Views(values, present=present), chance()).total.item()
        for values in (there.inputs, other)
    ]
    assert costs[0] == costs[1]


def test_all_present_costs_what_none_missing_does():
    model = made(allow_missing=True)
    present = torch.ones(6, 3, dtype=torch.bool)
    costs = [model.loss(batch(present=one), chance()).total.item() for one in (None, present)]
    assert costs[0] == costs[1]


def test_a_view_alone_in_every_datum_still_costs_something_finite():
    present = torch.zeros(6, 3, dtype=torch.bool)
    present[:, 0] = True
    model = made(allow_missing=True)
    losses = model.loss(batch(present=present), chance())
    losses.total.backward()
    assert losses.total.isfinite()
    assert losses.parts["cross"] == 0


def test_views_that_agree_on_what_they_share_cost_less_across():
    model = made()
    values = torch.rand(6, 16, generator=chance(3))
    for network in model.networks[1:]:
        network.load_state_dict(model.networks[0].state_dict())
    same = model.loss(Views(values.repeat(1, 3)), chance()).parts["cross"]
    mixed = torch.cat([values, values.roll(1, 0), values.roll(2, 0)], 1)
    assert same < model.loss(Views(mixed), chance()).parts["cross"]


class Glass(ViewNetworks):
    """A view whose values are its shared latents and then its private ones.

    `leak` of the shared encoder's latents are the private ones.
    """

    def __init__(self, leak=0.0):
        super().__init__(ViewSettings(kind="vector", n_values=6, widths=(2,)), 3, 3)
        self.leak = leak

    def decode(self, shared, private):
        return torch.cat([shared, private], 1)

    def seen(self, decoded):
        return decoded

    def encode_shared(self, values):
        mean = (1 - self.leak) * values[:, :3] + self.leak * values[:, 3:]
        return Posterior(mean, torch.ones_like(mean))

    def encode_private(self, values):
        return Posterior(values[:, 3:], torch.ones_like(values[:, 3:]))


def through_glass(leak, augment="match"):
    values = torch.randn(8, 6, generator=chance(7))
    glass = Glass(leak)
    shared, private = glass.encode_shared(values), glass.encode_private(values)
    present = torch.ones(8, 1, dtype=torch.bool)
    seen = Seen([values], present, [shared], [private], [shared.mean], [private.mean])
    settings = IDMVAESettings(**SMALL, augment=augment)
    return private.mean, shared.mean, augmented(seen, [glass], settings, lambda *_: None)


def test_latents_swapped_in_are_shown_and_the_kept_ones_found_again():
    assert through_glass(0.0)[2].item() == pytest.approx(0.0, abs=1e-10)
    private, shared, cost = through_glass(0.5)
    # z again is half of z and half of the w that was swapped in, which is the next datum's
    wanted = 0.5 * (0.5 * (shared - private.roll(1, 0))).square().sum(1).mean()
    torch.testing.assert_close(cost, wanted)


def test_private_latents_in_the_shared_ones_cost_genaug_something_by_contrast_too():
    assert through_glass(0.0, "contrastive")[2] < through_glass(0.5, "contrastive")[2]


def test_the_phase_of_contrast_teaches_shared_encoders_alone_what_cross_mi_says():
    model = made()
    wanted = model.loss(batch(), chance()).parts["cross"]
    model.begin("contrast")
    losses = model.loss(batch(), chance())
    torch.testing.assert_close(losses.total.detach(), wanted)
    assert set(losses.parts) == {"cross"}
    losses.total.backward()
    taught = {name.split(".")[2] for name, one in model.named_parameters() if one.grad is not None}
    assert taught == {"shared"}
    model.begin("views")
    assert all(one.requires_grad for one in model.parameters())
    with pytest.raises(BadCall, match="no phase 'contrast'; there are views"):
        made(cross_weight=0.0).begin("contrast")
    with pytest.raises(BadCall, match="no phase 'mixtures'; there are contrast, views"):
        model.begin("mixtures")


@pytest.mark.parametrize("scale", [0.05, 0.6931471805599453, 2.0])
def test_the_auxiliary_prior_begins_with_the_scale_it_is_given(scale):
    for one in made(other_scale=scale).other_scales:
        found = torch.nn.functional.softplus(one)
        torch.testing.assert_close(found, torch.full((3,), scale))


def test_detached_a_view_s_own_image_teaches_its_shared_encoder_nothing():
    costs, slopes = [], []
    for detached in (False, True):
        model = made(cross_weight=0.0, augment_weight=0.0, beta=0.0, detach_own=detached)
        values = batch().inputs
        for target in (0, 1):  # what is left to be rebuilt
            weights = tuple(
                ViewSettings(channels=1, side=4, widths=(3, 4), weight=float(view == target))
                for view in range(3)
            )
            model.settings = IDMVAESettings(**{**SMALL, "views": weights}, detach_own=detached)
            model.settings = dataclasses.replace(
                model.settings, cross_weight=0.0, augment_weight=0.0, beta=0.0
            )
            model.zero_grad()
            total = model.loss(Views(values), chance()).total
            total.backward()
            costs.append(total.item())
            grown = model.networks[0].shared.mean.weight.grad
            slopes.append(float(grown.abs().sum()))
    assert costs[:2] == costs[2:]  # it is the gradient that differs
    assert min(slopes[:2]) > 0
    assert slopes[2] == 0  # of the view itself, detached
    assert slopes[3] == pytest.approx(slopes[1])  # of another one


def test_diffusion_in_place_of_the_gaussian_prior_keeps_the_entropy_alone():
    diffusion = {"weight": 1.0, "n_steps": 20, "width": 8, "n_sampling": 5}
    tables = {"views": [{"channels": 1, "side": 4, "widths": [3, 4], "copies": 3}]}
    tables |= {"n_shared": 2, "n_private": 3, "diffusion": diffusion}
    found = []
    for kept in (True, False):
        torch.manual_seed(0)
        model = make_model("idmvae", {**tables, "gaussian_prior": kept}, "the test")
        found.append(model.loss(batch(), chance()).parts["divergence"].item())
    entropy_like = found[1]
    assert entropy_like != pytest.approx(found[0])
    assert isinstance(model, MultiviewModel)
    assert model.priors == ("gaussian", "diffusion")


def test_samples_of_both_priors_have_their_shapes_and_hang_on_the_generator():
    from diarize.models.idmvae.config import DiffusionSettings

    model = made(diffusion=DiffusionSettings(weight=1.0, n_steps=20, width=8, n_sampling=5))
    for prior in model.priors:
        shared, again = (model.draw_prior(None, 4, chance(1), prior) for _ in range(2))
        assert torch.equal(shared, again)
        assert shared.shape == (4, 2)
        assert model.draw_prior(2, 4, chance(1), prior).shape == (4, 3)
    plain = made()
    drawn_many = plain.draw_prior(None, 20_000, chance())
    assert drawn_many.std().item() == pytest.approx(0.693, abs=0.02)
    with pytest.raises(BadCall, match="no diffusion priors"):
        plain.draw_prior(None, 4, chance(), "diffusion")


def test_what_is_asked_of_some_views_needs_those_alone():
    model = made()
    values = batch().inputs
    alone = torch.tensor([[True, False, False]]).expand(6, 3)
    found = model.encode_views(values, alone)
    torch.testing.assert_close(found.joint, found.shared_mean[:, 0])
    assert bool((found.shared_mean[:, 1:] == 0).all())
    every = model.encode_views(values)
    torch.testing.assert_close(every.joint, every.shared_mean.mean(1))
    assert model.decode_view(1, found.joint, found.private_mean[:, 0]).shape == (6, 16)


def test_words_are_decoded_as_words():
    words = ViewSettings(
        kind="words", n_words=7, length=4, widths=(5, 6), likelihood="categorical", scale=1.0
    )
    model = made(views=(PIXELS, words))
    values = torch.cat([batch().inputs, torch.randint(0, 7, (6, 4), generator=chance())], 1)
    assert model.loss(Views(values), chance()).total.isfinite()
    found = model.encode_views(values)
    shown = model.decode_view(3, found.joint, found.private_mean[:, 3])
    assert bool(((shown >= 0) & (shown < 7) & (shown == shown.round())).all())


def test_views_of_another_count_or_size_are_refused():
    model = made()
    with pytest.raises(BadCall, match="expected batch x 48, for 3 views of 16, 16, 16 values"):
        model.loss(batch(size=32), chance())
    with pytest.raises(BadCall, match="a column for each of the 3 views"):
        model.encode_views(batch().inputs, torch.ones(6, 2, dtype=torch.bool))
    values = batch().inputs
    values[2, 40] = torch.inf
    with pytest.raises(BadCall, match="NaN or infinite"):
        model.encode_views(values)


def test_a_missing_view_where_none_is_allowed_is_refused():
    present = torch.ones(6, 3, dtype=torch.bool)
    present[4, 1] = False
    with pytest.raises(BadCall, match="datum 4 lacks view 1, and this model allows none"):
        made().loss(batch(present=present), chance())
    present[4] = False
    with pytest.raises(BadCall, match="a datum without any view"):
        made(allow_missing=True).loss(batch(present=present), chance())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"views": [{"side": 4, "widths": [3]}]}, "1 view; expected two or more"),
        ({"views": [{"side": 6, "widths": [3, 4, 5]}]}, "6 cannot be halved 2 times"),
        ({"views": [{"kind": "vector"}]}, "n_values = 0 of a view"),
        ({"views": [{"likelihood": "categorical"}]}, "words are categorical"),
        ({"partner": "diffusion"}, "without a diffusion"),
        ({"joint": "product", "posterior": "laplace"}, "of Laplace posteriors"),
        ({"diffusion": {"weight": 1.0, "n_steps": 5}}, "no more steps than there are"),
        ({"joint": "product", "detach_own": True}, 'detach_own = true with joint = "product"'),
        ({"other_scale": 0.0}, "other_scale = 0.0; expected a number above 0"),
        ({"temperature": -1.0}, "temperature = -1.0; expected a number above 0"),
        ({"beta": -1.0}, "beta = -1.0; expected 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(BadFile, match=told):
        make_model("idmvae", wrong, "the test")
