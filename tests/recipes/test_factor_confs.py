"""Every conf of egs/mnist of a model of many betas: its tables fit, and it has a tiny kin."""

from pathlib import Path

import pytest
import torch

from diarize.config import build, read_toml
from diarize.corpora.supplies import SUPPLIES, _named
from diarize.inference.factors import FactorInferSettings
from diarize.inference.factors_report import FactorReportSettings
from diarize.inference.factors_scores import FactorScoreSettings
from diarize.models import make_model
from diarize.training.settings import TrainSettings

FOLDER = Path(__file__).parents[2] / "egs" / "mnist" / "conf"
CONFS = sorted(
    conf
    for conf in FOLDER.glob("*.toml")
    if read_toml(conf)["data"].get("corpus") in ("sprites", "mnist_images", "celeba")
)
SIDES = {"sprites": lambda data: data.side, "mnist_images": lambda _: 28}


@pytest.mark.parametrize("conf", CONFS, ids=lambda path: path.stem)
def test_a_conf_can_be_trained_and_used(conf):
    tables = read_toml(conf)
    corpus = tables["data"]["corpus"]
    data = build(_named(SUPPLIES, corpus).settings_type, tables["data"], "[data]")
    with torch.device("meta"):
        made = make_model("multibeta", tables["model"], "[model]")
    side = SIDES[corpus](data) if corpus in SIDES else data.side
    assert made.settings.n_values == made.settings.n_planes * side**2
    phases = build(TrainSettings, tables["train"], "[train]").phases_of(made.phases)
    assert phases
    infer = build(FactorInferSettings, tables.get("infer", {}), "[infer]")
    assert max(infer.few_steps) <= made.settings.diffusion.n_steps
    assert build(FactorScoreSettings, tables.get("score", {}), "[score]").n_components
    assert build(FactorReportSettings, tables.get("report", {}), "[report]").n_samples


@pytest.mark.parametrize("name", ["multibeta_toy", "multibeta_mnist", "multibeta_no_delta"])
def test_each_recipe_has_a_tiny_one_of_the_same_model_and_corpus(name):
    full, tiny = (read_toml(FOLDER / f"{stem}.toml") for stem in (name, f"{name}_tiny"))
    assert full["data"]["corpus"] == tiny["data"]["corpus"]
    assert full["model"].get("diffusion", {}).get("delta") == tiny["model"]["diffusion"].get(
        "delta"
    )
    stages = [tables["model"].get("stage_one", "") for tables in (full, tiny)]
    assert stages[0].replace("multibeta_toy", "multibeta_toy_tiny") == stages[1]


def test_the_ablation_differs_from_the_whole_in_the_second_head_alone():
    whole, without = (
        read_toml(FOLDER / f"{name}.toml") for name in ("multibeta_toy", "multibeta_no_delta")
    )
    without["model"].pop("stage_one")
    assert without["model"]["diffusion"].pop("delta") is False
    without["train"]["phases"]["autoencoder"] = whole["train"]["phases"]["autoencoder"]
    assert without == whole


def test_what_it_is_held_to_differs_in_its_one_beta_and_its_noise_alone():
    whole, one = (read_toml(FOLDER / f"{name}.toml") for name in ("multibeta_toy", "betavae_toy"))
    assert one["model"].pop("noise") == "image"
    assert one["model"].pop("lowest_beta") == one["model"].pop("highest_beta")
    whole["model"].pop("diffusion")
    assert one["model"] == whole["model"]
    assert one["data"] == whole["data"]
    assert one["train"]["phases"]["autoencoder"] == whole["train"]["phases"]["autoencoder"]
