"""Every conf of egs/two_speakers: its tables are what their stages take, and they go together."""

from pathlib import Path

import pytest
import torch

from diarize.config import build, read_toml
from diarize.corpora.two_speaker_settings import TwoSpeakerSettings
from diarize.inference.two_speakers import TwoSpeakerInferSettings
from diarize.models import make_model
from diarize.training.settings import TrainSettings

CONFS = sorted((Path(__file__).parents[2] / "egs" / "two_speakers" / "conf").glob("*.toml"))


@pytest.mark.parametrize("conf", CONFS, ids=lambda path: path.stem)
def test_a_conf_can_be_trained_and_used(conf):
    tables = read_toml(conf)
    data = build(TwoSpeakerSettings, tables["data"], "[data]")
    with torch.device("meta"):
        made = make_model(tables["model"]["name"], tables["model"], "[model]")
    assert made.settings.n_streams == 2
    assert made.settings.n_values == data.chunks.n_values
    assert build(TrainSettings, tables["train"], "[train]").phases_of(made.phases)
    assert build(TwoSpeakerInferSettings, tables["infer"], "[infer]").part == "test"
    assert data.n_test >= 20


def test_the_paper_s_model_has_the_paper_s_size():
    table = read_toml(next(path for path in CONFS if path.stem == "paper"))["model"]
    with torch.device("meta"):
        made = make_model(table["name"], table, "[model]")
    # a stream has 4,270,986 there, 81 of them unused; ours has 81 for its proposal
    assert sum(one.numel() for one in made.parameters()) == pytest.approx(2 * 4_270_986, rel=1e-4)


def test_the_paper_s_threshold_and_silence_are_the_paper_s():
    for name in ("paper", "paper10"):
        tables = read_toml(next(path for path in CONFS if path.stem == name))
        assert tables["infer"]["threshold"] == 0.99
        assert tables["data"]["silence"] == "oracle"
        assert tables["infer"].get("mean_s", 0) == 0
