"""The confs of egs/slakh say models that can be made, and the smallest of them can be trained."""

from pathlib import Path

import pytest
import torch

from diarize.config import build, read_toml
from diarize.corpora.batch import Songs
from diarize.corpora.stem_settings import StemSettings
from diarize.inference.separate import SeparatorSettings
from diarize.models.rqvae.config import RQVAESettings
from diarize.models.rqvae.model import RQVAE
from diarize.training.settings import TrainSettings

FOLDER = Path(__file__).parents[3] / "egs" / "slakh" / "conf"
CONFS = [
    path
    for path in sorted(FOLDER.glob("*.toml"))
    if read_toml(path).get("model", {}).get("name") == "rqvae"
]


@pytest.mark.parametrize("path", CONFS, ids=lambda path: path.stem)
def test_every_table_of_a_conf_can_be_used(path, settings_of):
    tables, settings = settings_of(path, RQVAESettings)
    data = build(StemSettings, tables["data"], str(path))
    assert data.sources == settings.sources
    assert data.window_s <= settings.window_s
    assert build(TrainSettings, tables["train"], str(path)).phases_of(RQVAE.phases)
    build(SeparatorSettings, tables.get("infer", {}), str(path))


@pytest.mark.parametrize("name", ["paper", "ours", "honest"])
def test_only_the_confs_that_say_so_have_a_path_around_the_codes(name, settings_of):
    _, settings = settings_of(FOLDER / f"{name}.toml", RQVAESettings)
    through_codes = settings.output == "codes" or (
        settings.network == "waveform" and settings.skips == "none"
    )
    assert through_codes == (name == "honest")


def test_the_published_network_without_skips_has_no_path_either(settings_of):
    _, settings = settings_of(FOLDER / "paper_honest.toml", RQVAESettings)
    assert (settings.skips, settings.n_stages, settings.rules.n_codes) == ("none", 12, 4096)
    assert settings_of(FOLDER / "vqvae.toml", RQVAESettings)[1].n_stages == 1
    assert settings_of(FOLDER / "vae.toml", RQVAESettings)[1].bottleneck == "gaussian"


def test_the_tiny_one_goes_through_both_its_phases(settings_of):
    _, settings = settings_of(FOLDER / "tiny.toml", RQVAESettings)
    model = RQVAE(settings)
    stems = 0.1 * torch.randn(2, 4, 8000, generator=torch.Generator().manual_seed(0))
    for phase in model.phases:
        model.begin(phase)
        batch = Songs(stems.sum(1, keepdim=True), stems=stems)
        losses = model.loss(batch, torch.Generator().manual_seed(1))
        losses.total.backward()
        assert bool(losses.total.isfinite())
    assert float(losses.parts["commitment"]) > 0


@pytest.mark.parametrize(
    ("network", "output", "passes"),
    [("waveform", "direct", 1), ("spectrum", "mixture", 3), ("spectrum", "codes", 3)],
)
def test_only_our_network_hears_in_several_keys(network, output, passes):
    assert RQVAE(RQVAESettings(network=network, output=output)).passes == passes
