"""The published network: its sizes, its lengths, and the quirk of its scale."""

import pytest
import torch

from diarize.config import build
from diarize.corpora.batch import Songs
from diarize.errors import BadCall
from diarize.models.rqvae.config import RQVAESettings, WaveformSettings
from diarize.models.rqvae.model import RQVAE
from diarize.models.rqvae.waveform import WaveformDecoder, WaveformEncoder, left_out

SMALL = {
    **{"sources": ["a", "b"], "n_stages": 2, "skips": "plain"},
    "rules": {"n_codes": 4, "learning": "gradient"},
    "waveform": {
        **{"channels": [2, 4], "kernels": [3, 4], "strides": [1, 2]},
        **{"n_recurrent": 1, "dropout": 0.0},
    },
}


def small(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RQVAE(build(RQVAESettings, {**SMALL, **settings}, "this test"))


def n_parameters(module):
    return sum(one.numel() for one in module.parameters())


def test_the_network_is_as_large_as_the_published_one():
    encoder = WaveformEncoder(WaveformSettings())
    decoder = WaveformDecoder(WaveformSettings(), 4)
    assert n_parameters(encoder) == pytest.approx(3.40e6, rel=0.01)
    assert n_parameters(decoder) == pytest.approx(3.07e6, rel=0.01)


def test_a_latent_of_256_numbers_is_200_samples_which_come_back():
    encoder = WaveformEncoder(WaveformSettings(n_recurrent=1)).eval()
    decoder = WaveformDecoder(WaveformSettings(n_recurrent=1), 4).eval()
    with torch.no_grad():
        latents, stages = encoder(torch.zeros(1, 1, 22_000))  # nearly a quarter of it
        made = decoder(latents, stages)
    assert latents.shape == (1, 110, 256)
    assert [tuple(one.shape[1:]) for one in stages[:3]] == [(16, 22_000), (32, 4400), (64, 880)]
    assert made.shape == (1, 4, 22_000)


@pytest.mark.parametrize("n_samples", [1, 7, 100])
def test_stems_are_as_long_as_the_mixture(n_samples):
    model = small().eval()
    assert model.separate(torch.zeros(3, 1, n_samples)).shape == (3, 2, n_samples)


def test_skips_carry_what_no_code_says_and_without_them_codes_say_all():
    def changed(skips):
        """Whether stems differ between two mixtures that have the same codes."""
        model = small(skips=skips).eval()
        model.awake.fill_(True)
        for book in model.bottleneck.books.books():
            book.codes.data.zero_()  # every latent is quantised to the same
        with torch.no_grad():
            one, two = (model.separate(scale * torch.ones(1, 1, 20)) for scale in (0.1, 0.2))
        return not torch.equal(one, two)

    assert changed("plain")
    assert not changed("none")


def test_the_quirk_moves_every_stem_by_the_same_constant():
    plain, quirky = small(), small(offset_quirk=True)
    for model in (plain, quirky):
        model.eval()
        for stage in model.decoder.stages[-1]:
            torch.nn.init.zeros_(stage.weight)
    with torch.no_grad():
        silent = torch.zeros(1, 1, 20)
        assert float(plain.separate(silent).abs().max()) == 0
        moved = quirky.separate(silent)
    torch.testing.assert_close(moved, torch.full_like(moved, 122.759 / 32768))


def test_dropout_keeps_the_mean_and_hangs_on_the_generator_alone():
    values = torch.ones(20_000)
    one, two = (left_out(values, 0.25, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)
    assert float(one.mean()) == pytest.approx(1.0, abs=0.02)
    assert one.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert torch.equal(left_out(values, 0.25, None), values)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"skips": "quantised"}, "skips = 'quantised' of network 'waveform'"),
        ({"output": "codes"}, "output = 'codes' of network 'waveform'"),
        ({"network": "spectrum"}, "output = 'direct' of network 'spectrum'"),
        ({"sources": ["a", "a"]}, "names that differ"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        small(**settings)


def test_a_batch_without_the_right_stems_is_refused():
    model = small()
    model.begin("codes")
    stems = torch.zeros(1, 3, 50)
    with pytest.raises(BadCall, match="3 stems; 2 are wanted: a, b"):
        model.loss(Songs(stems.sum(1, keepdim=True), stems=stems), torch.Generator())
