"""What separation and generation promise, whatever the weights."""

import pytest
import torch
from tiny_composable import TABLE, chance, tiny, tones

from diarize.config import build
from diarize.corpora.batch import Songs
from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.models.composable.config import ComposableSettings
from diarize.models.composable.generate import generate, most_like
from diarize.models.composable.view import View, band_edges, codec_of

DIRECT = {"output": "direct", "view": {"kind": "latents"}, "guided": False}


def residual_db(sounds, mixture):
    left = sounds.sum(1, keepdim=True) - mixture
    return 10 * torch.log10(left.square().sum() / mixture.square().sum() + 1e-20).item()


@pytest.mark.parametrize("other", [{}, DIRECT, {**DIRECT, "operator": "mean"}])
def test_components_add_up_to_the_mixture(other):
    mixture = tones()
    with torch.no_grad():
        assert residual_db(tiny(**other).separate(mixture), mixture) < -100


def test_without_consistency_they_do_not():
    mixture = tones()
    with torch.no_grad():
        found = tiny(**DIRECT, consistent=False).separate(mixture)
    assert residual_db(found, mixture) > -40


def test_shares_of_the_codec_s_latents_add_up_before_anything_is_projected():
    model, mixture = tiny(), tones()
    with torch.no_grad():
        heard = model.view.hear(mixture)
        shape = (2, 2, *heard.data.shape[1:])
        shares = model.shares(torch.randn(shape, generator=chance()))
    torch.testing.assert_close(shares.sum(1), torch.ones_like(heard.encoded.latents))


def test_of_silence_nothing_is_made():
    with torch.no_grad():
        assert tiny().separate(torch.zeros(1, 1, 500)).abs().max() < 1e-6


@pytest.mark.parametrize("n_samples", [1, 7, 63, 200])
def test_a_mixture_shorter_than_what_the_networks_look_at_is_taken(n_samples):
    mixture = tones(1, n_samples) + 0.01
    with torch.no_grad():
        found = tiny().separate(mixture)
    assert found.shape == (1, 2, n_samples)
    assert bool(found.isfinite().all())


def test_a_seed_decides_on_the_noise_and_on_nothing_else():
    model, mixture = tiny(), tones()
    with torch.no_grad():
        first = model.separate(mixture)
        again = model.separate(mixture)
        model.seed = 1
        other = model.separate(mixture)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_codec_of_another_rate_or_width_is_refused_with_both_named():
    settings = build(ComposableSettings, {**TABLE, "codec": "rvq"}, "x")
    with pytest.raises(BadCall, match=r"codec 'rvq' has 22050 Hz; these weights are for 8000"):
        codec_of(settings)
    settings = build(ComposableSettings, {**TABLE, "n_latents": 34}, "x")
    with pytest.raises(BadCall, match=r"codec 'stft' has 66 latents a frame; .* are for 34"):
        codec_of(settings)


def test_what_the_codec_has_is_kept_beside_the_weights():
    model = tiny()
    assert (model.settings.rate_hz, model.settings.n_latents) == (8000, 66)


def test_weights_of_encodec_that_are_nowhere_are_told_as_such(monkeypatch, tmp_path):
    monkeypatch.setenv("DIARIZE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingWeights, match="no weights of encodec24 on this machine; put"):
        tiny(codec="encodec24", rate_hz=0)


def test_the_codec_is_no_part_of_the_weights():
    model = tiny(codec="rvq", rate_hz=0)
    assert not [name for name in model.state_dict() if "codec" in name or "books" in name]


def test_latents_come_back_from_how_networks_see_them():
    table = {**TABLE, **DIRECT, "view": {"kind": "latents", "power": 0.5}}
    codec, settings = codec_of(build(ComposableSettings, table, "x"))
    view = View(codec, settings)
    heard = view.hear(tones(), count=True)
    again = view.normalised(heard.encoded.latents)
    torch.testing.assert_close(view.plain(again), heard.encoded.latents, rtol=1e-3, atol=1e-3)


def test_bands_are_as_many_octaves_above_a_frequency_as_their_middle_is():
    """Of 33 bins of 125 Hz: bin 2 is 250 Hz; the last band of 12 is where the last bins are."""
    bins = tiny(view={"kind": "latents"}).view.octaves(125.0)
    assert bins[[0, 1, 2, 32]].tolist() == [-1.0, 0.0, 1.0, 5.0]
    bands = tiny().view.octaves(125.0)
    assert bands[:3].tolist() == bins[:3].tolist()
    first = band_edges(12, 33)[-2]
    middle = torch.arange(first, 33).float().mean()
    assert bands[-1].item() == pytest.approx(middle.log2().item())


def test_latents_at_no_frequency_have_no_register():
    view = tiny().view
    view.is_spectrum = False  # and it has no `transform` either, as EnCodec has none
    with pytest.raises(BadCall, match=r"losses\.high, losses\.low: latents of STFTCodec are at no"):
        view.octaves(200.0)


def test_register_alone_takes_low_sound_to_the_first_component():
    """A few steps by that loss, and nothing else than the mixture is looked at."""
    losses = {"high": [1.0, 0.0], "low": [0.0, 1.0], "split_hz": 900.0, "compression": 0.5}
    model = tiny(losses=losses)
    model.begin("compose")
    steps = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], 0.01)
    before = None
    for number in range(60):
        found = model.loss(
            Songs(tones(4), stems=torch.full((4, 2, 900), torch.nan)), chance(number)
        )
        before = found.parts["register"] if before is None else before
        steps.zero_grad()
        found.total.backward()
        steps.step()
    assert found.parts["register"] < 0.5 * before
    spectra = torch.fft.rfft(model.eval().separate(tones(1))[0].detach()).abs().square()
    at = torch.fft.rfftfreq(900, 1 / 8000)
    assert spectra[0, at < 900].sum() > spectra[1, at < 900].sum()
    assert spectra[1, at > 900].sum() > spectra[0, at > 900].sum()


def test_windows_that_one_component_has_for_itself_are_mixed_anew_without_stems():
    model = tiny(losses={"alone": 0.5})
    model.begin("visit")
    found = model.loss(Songs(tones(4), stems=torch.full((4, 2, 900), torch.nan)), chance())
    assert {"visits", "shares", "composition"} <= set(found.parts)
    assert bool(found.total.isfinite())


def with_prior():
    model = tiny()
    model.begin("prior")
    model.loss(Songs(tones(4), stems=torch.zeros(4, 2, 900)), chance())
    return model.eval()


def test_pieces_are_drawn_and_a_seed_gives_the_same_again():
    model = with_prior()
    first, again, other = (generate(model, 2, 700, chance(seed)) for seed in (0, 0, 1))
    assert first.components.shape == (2, 2, 700)
    assert first.given is None
    assert bool(first.components.isfinite().all())
    assert torch.equal(first.components, again.components)
    assert not torch.equal(first.components, other.components)
    assert not torch.equal(first.components[0], first.components[1])


def test_what_is_given_stays_as_it_is_and_its_latents_do_too():
    model, given = with_prior(), tones(1, 700)
    with torch.no_grad():
        found = generate(model, 2, 700, chance(), given=given)
        own = model.encode(model.view.hear(given).data)
    number = most_like(model, given)
    assert found.given == number
    torch.testing.assert_close(found.components[:, number], given[:, 0].expand(2, -1))
    wanted = own[:, number].expand(2, -1, -1)
    torch.testing.assert_close(found.latents[:, number], wanted, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found.latents[0, 1 - number], found.latents[1, 1 - number])


def test_variations_stay_the_nearer_the_weaker_they_are():
    model, given = with_prior(), tones(1, 700)
    model.predict_latents = lambda noisy, level, masked, generator=None: noisy
    with torch.no_grad():
        own = model.encode(model.view.hear(given).data)
        far, near = (
            (generate(model, 1, 700, chance(), given=given, strength=strength).latents - own)
            .square()
            .sum()
            for strength in (1.0, 0.05)
        )
    assert near.item() == pytest.approx(0.05**2 * far.item(), rel=0.01)


def test_without_a_prior_nothing_is_generated():
    with pytest.raises(BadCall, match="these weights have no prior"):
        generate(tiny(), 1, 700, chance())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"view": {"kind": "levels"}, "output": "direct"}, "expected 'shares'"),
        ({"losses": {"steady": [1.0]}}, "losses.steady: 1 weights; expected 2"),
        ({"n_components": 9}, "n_components = 9; expected 1 to 8"),
        ({"view": {"n_bands": 99}}, "view.n_bands = 99; expected at most 33"),
    ],
)
def test_settings_that_cannot_be_are_refused(table, message):
    with pytest.raises((BadCall, BadFile), match=message):
        tiny(**{**table, "view": {**TABLE["view"], **table.get("view", {})}})
