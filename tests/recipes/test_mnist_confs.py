"""Every conf of egs/mnist: each of its tables is one that its stage takes, and they go together."""

from pathlib import Path

import pytest
import torch

from diarize.config import build, read_toml
from diarize.corpora.digit_settings import DigitSettings
from diarize.inference.image_report import ImageReportSettings
from diarize.inference.image_scores import ImageScoreSettings
from diarize.inference.images import ImageInferSettings
from diarize.models import make_model
from diarize.training.settings import TrainSettings

CONFS = [
    conf
    for conf in sorted((Path(__file__).parents[2] / "egs" / "mnist" / "conf").glob("*.toml"))
    if read_toml(conf).get("data", {}).get("corpus") == "digits"
]


@pytest.mark.parametrize("conf", CONFS, ids=lambda path: path.stem)
def test_a_conf_can_be_trained_and_used(conf):
    tables = read_toml(conf)
    data = build(DigitSettings, tables["data"], "[data]")
    model = tables["model"]
    with torch.device("meta"):
        made = make_model(model["name"], model, "[model]")
    assert getattr(made.settings, "n_streams", data.n_streams) == data.n_streams
    phases = build(TrainSettings, tables["train"], "[train]").phases_of(made.phases)
    assert phases
    infer = build(ImageInferSettings, tables.get("infer", {}), "[infer]")
    prepared = {"test_bernoulli", *(f"test_K{count}" for count in data.test_counts)}
    assert set(infer.sets) <= prepared
    assert build(ImageScoreSettings, tables.get("score", {}), "[score]").variants
    assert build(ImageReportSettings, tables.get("report", {}), "[report]").n_examples


def test_the_paper_s_model_has_the_paper_s_size():
    conf = next(path for path in CONFS if path.stem == "paper")
    model = read_toml(conf)["model"]
    with torch.device("meta"):
        made = make_model(model["name"], model, "[model]")
    # a stream has 3,211,725 there, 301 of them unused; ours has 301 for its proposal
    assert sum(one.numel() for one in made.parameters()) == pytest.approx(32_117_250, rel=1e-3)


def test_the_baseline_meets_exactly_as_many_digits_as_it_is_made_for():
    tables = read_toml(next(path for path in CONFS if path.stem == "vaebss"))
    chances = tables["data"]["presence_by_count"]
    assert chances[tables["model"]["n_sources"]] == 1.0
