import dataclasses

import pytest
import torch

from diarize.models import make_model
from diarize.models.msvae.polish import polished_sources

SETTINGS = {"n_streams": 3, "n_values": 16, "n_latents": 2, "decoder_widths": [8]}


@pytest.fixture
def model():
    torch.manual_seed(3)
    made = make_model("msvae", {**SETTINGS, "encoder_widths": [2, 4], "scale": 0.1}, "test")
    for weight in made.decoders.parameters():
        weight.data.mul_(3)
    return made.eval()


def test_polishing_brings_the_sum_nearer_to_the_mixture(model):
    on = torch.tensor([[True, True, False], [False, True, True]])
    true = model.decoders(torch.randn(2, 3, 2)) * on[:, :, None]
    mixtures = true.sum(1)
    rough = torch.full((2, 3, 2), 0.3)
    before = (model.decoders(rough, on).sum(1) - mixtures).abs().sum(1)
    after = (polished_sources(model, mixtures, rough, on, 60).sum(1) - mixtures).abs().sum(1)
    assert (after < 0.5 * before).all()


def test_streams_that_are_off_stay_black(model):
    on = torch.tensor([[True, False, False]])
    sources = polished_sources(model, torch.rand(1, 16), torch.zeros(1, 3, 2), on, 5)
    assert (sources[0, 1:] == 0).all()
    assert (sources[0, 0] > 0).all()


def test_a_mixture_with_nothing_on_is_black(model):
    on = torch.zeros(2, 3, dtype=torch.bool)
    sources = polished_sources(model, torch.rand(2, 16), torch.zeros(2, 3, 2), on, 5)
    assert (sources == 0).all()


def test_a_row_of_a_batch_is_polished_as_if_it_were_alone(model):
    on = torch.tensor([[True, True, False], [True, True, True]])
    mixtures, rough = torch.rand(2, 16), torch.randn(2, 3, 2)
    together = polished_sources(model, mixtures, rough, on, 20)
    alone = polished_sources(model, mixtures[1:], rough[1:], on[1:], 20)
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=0)


def test_the_model_is_left_as_it_was(model):
    model.begin("refine")
    model.eval()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    on = torch.ones(1, 3, dtype=torch.bool)
    polished_sources(model, torch.rand(1, 16), torch.zeros(1, 3, 2), on, 5)
    assert all(one.requires_grad and one.grad is None for one in model.decoders.parameters())
    assert all(torch.equal(before[name], one) for name, one in model.state_dict().items())


def test_attribution_polishes_what_it_found_and_finds_the_same(model):
    mixtures = torch.rand(4, 16)
    plain = model.attribute(mixtures, 2)
    model.settings = dataclasses.replace(model.settings, polish_steps=30)
    polished = model.attribute(mixtures, 2)
    assert torch.equal(plain.pattern, polished.pattern)
    left = (mixtures - (plain.sources * plain.pattern[:, :, None]).sum(1)).abs().sum(1)
    assert ((mixtures - polished.sources.sum(1)).abs().sum(1) <= left + 0.05).all()
