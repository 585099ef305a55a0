"""The confs of egs/slakh say models that can be made; the published one has its published size."""

import dataclasses
from pathlib import Path

import pytest
import torch

from diarize.config import build, read_toml
from diarize.corpora.batch import Songs
from diarize.corpora.stem_settings import StemSettings
from diarize.models.composable.config import ComposableSettings
from diarize.models.composable.model import Composable
from diarize.models.composable.network import Encoder, UNet
from diarize.training.settings import TrainSettings

FOLDER = Path(__file__).parents[3] / "egs" / "slakh" / "conf"
CONFS = sorted(FOLDER.glob("composable*.toml"))


@pytest.mark.parametrize("path", CONFS, ids=lambda path: path.stem)
def test_every_table_of_a_conf_can_be_used(path, settings_of):
    tables, settings = settings_of(path, ComposableSettings)
    data = build(StemSettings, tables["data"], str(path))
    assert data.remix.share == 0  # real mixtures: to remix stems would take labels
    assert len(data.sources) == settings.n_components
    train = build(TrainSettings, tables["train"], str(path))
    assert train.start or "compose" in train.phases_of(Composable.phases)


def n_weights(module):
    return sum(one.numel() for one in module.parameters())


def test_the_published_networks_have_their_published_size(settings_of):
    """2.905 and 10.48 million weights, counted from the published settings; ours are near."""
    _, settings = settings_of(FOLDER / "composable_paper.toml", ComposableSettings)
    encoder = Encoder(128, settings.encoder, settings.encoder_kernel, settings.width)
    assert n_weights(encoder) == pytest.approx(2.905e6, rel=0.01)
    assert n_weights(UNet(128, 128, 1, settings.decoder)) == pytest.approx(10.48e6, rel=0.1)
    assert n_weights(UNet(2, 2, 2, settings.prior)) == pytest.approx(7.73e6, rel=0.2)


def test_the_smallest_goes_through_all_its_phases(settings_of):
    _, settings = settings_of(FOLDER / "composable_tiny.toml", ComposableSettings)
    goes_through_its_phases(Composable(settings))


@pytest.mark.parametrize("name", ["drums_piano", "bass_piano", "three"])
def test_other_sources_go_through_all_phases_at_the_smallest_size(name, settings_of):
    _, small = settings_of(FOLDER / "composable_tiny.toml", ComposableSettings)
    _, own = settings_of(FOLDER / f"composable_{name}.toml", ComposableSettings)
    sizes = {one: getattr(small, one) for one in ("encoder", "view", "decoder", "prior")}
    model = Composable(dataclasses.replace(own, window_s=small.window_s, **sizes))
    goes_through_its_phases(model)
    mixture = 0.1 * torch.randn(1, 1, 16_000, generator=torch.Generator().manual_seed(2))
    found = model.eval().separate(mixture)
    assert found.shape[1] == own.n_components
    torch.testing.assert_close(found.sum(1, keepdim=True), mixture, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["drums_bass", "drums_piano", "bass_piano", "drums_bass_piano"])
def test_sets_to_test_on_have_the_sources_of_a_conf(name, settings_of):
    conf = {"drums_bass": "composable", "drums_bass_piano": "composable_three"}
    trained, _ = settings_of(
        FOLDER / f"{conf.get(name, f'composable_{name}')}.toml", ComposableSettings
    )
    tested = read_toml(FOLDER / "data" / f"{name}.toml")
    assert tested["data"]["sources"] == trained["data"]["sources"]
    assert tested["data"]["least_active"] == len(tested["data"]["sources"])


def goes_through_its_phases(model):
    sound = 0.1 * torch.randn(3, 1, 16_000, generator=torch.Generator().manual_seed(0))
    for phase in model.phases:
        model.begin(phase)
        losses = model.loss(Songs(sound, stems=sound), torch.Generator().manual_seed(1))
        assert bool(losses.total.isfinite())
        losses.total.backward()
