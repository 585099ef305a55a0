"""The confs of egs/mnist whose data have several views: their tables are sound and go together."""

from pathlib import Path

import pytest
import torch

from diarize.config import build, read_toml
from diarize.corpora.cub import CubSettings
from diarize.corpora.polymnist_settings import PolymnistSettings
from diarize.corpora.tcga import TcgaSettings
from diarize.inference.multiview import MultiviewInferSettings
from diarize.inference.multiview_report import MultiviewReportSettings
from diarize.inference.multiview_scores import MultiviewScoreSettings
from diarize.models import make_model
from diarize.training.settings import TrainSettings

FOLDER = Path(__file__).parents[2] / "egs" / "mnist" / "conf"
CONFS = [
    conf
    for conf in sorted(FOLDER.glob("*.toml"))
    if read_toml(conf).get("data", {}).get("corpus") == "polymnist"
]
OMICS = [
    conf
    for conf in sorted(FOLDER.glob("*.toml"))
    if read_toml(conf).get("data", {}).get("corpus") == "tcga"
]
SYSTEMS = ("idmvae", "mmvaeplus", "dmvae")


def made_of(conf):
    model = read_toml(conf)["model"]
    with torch.device("meta"):
        return make_model(model["name"], model, "[model]")


def test_each_system_and_its_judge_have_a_tiny_sibling():
    names = {conf.stem for conf in CONFS}
    for name in (*SYSTEMS, "polymnist_judge"):
        assert {name, f"{name}_tiny"} <= names


@pytest.mark.parametrize("conf", CONFS, ids=lambda path: path.stem)
def test_a_conf_can_be_trained_and_used(conf):
    tables = read_toml(conf)
    data = build(PolymnistSettings, tables["data"], "[data]")
    made = made_of(conf)
    size = 3 * data.side**2
    if hasattr(made, "view_sizes"):
        assert made.view_sizes == (size,) * data.n_views
    else:
        assert 3 * made.settings.side**2 == size
        assert made.settings.n_views == data.n_views
    assert build(TrainSettings, tables["train"], "[train]").phases_of(made.phases)
    assert build(MultiviewInferSettings, tables.get("infer", {}), "[infer]").batch
    score = build(MultiviewScoreSettings, tables.get("score", {}), "[score]")
    for name in (score.judge, *score.beside):
        assert not name or (FOLDER / f"{name}.toml").is_file()
    assert build(MultiviewReportSettings, tables.get("report", {}), "[report]").n_examples


@pytest.mark.parametrize("conf", OMICS, ids=lambda path: path.stem)
def test_a_conf_of_omics_can_be_trained_and_used(conf):
    tables = read_toml(conf)
    data = build(TcgaSettings, tables["data"], "[data]")
    made = made_of(conf)
    assert made.view_sizes == (data.n_features,) * len(data.omics)
    assert build(TrainSettings, tables["train"], "[train]").phases_of(made.phases)
    assert build(MultiviewInferSettings, tables["infer"], "[infer]").batch


@pytest.mark.parametrize("tiny", ["", "_tiny"])
def test_the_systems_differ_in_the_objective_alone(tiny):
    tables = {name: read_toml(FOLDER / f"{name}{tiny}.toml") for name in SYSTEMS}
    settings = {name: made_of(FOLDER / f"{name}{tiny}.toml").settings for name in SYSTEMS}
    assert len({str(table["data"]) for table in tables.values()}) == 1
    assert len({str(table["train"]) for table in tables.values()}) == 1
    assert len({one.views for one in settings.values()}) == 1
    weights = {
        name: (one.joint, one.cross_weight, one.augment_weight, one.diffusion.weight)
        for name, one in settings.items()
    }
    assert weights["idmvae"] == ("mixture", 80.0, 20.0, 1.0)
    assert weights["mmvaeplus"] == ("mixture", 0.0, 0.0, 0.0)
    assert weights["dmvae"] == ("product", 0.0, 0.0, 0.0)


def test_the_conf_of_birds_has_two_views_that_fit_its_corpus():
    tables = read_toml(FOLDER / "idmvae_cub.toml")
    data = build(CubSettings, tables["data"], "[data]")
    made = made_of(FOLDER / "idmvae_cub.toml")
    assert made.view_sizes == (3 * data.side**2, data.length)
    assert build(TrainSettings, tables["train"], "[train]").phases_of(made.phases)
