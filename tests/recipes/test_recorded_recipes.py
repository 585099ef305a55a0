"""egs/ami, egs/voxconverse, egs/callhome: whose recordings, which microphone, what is trained."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from diarize.config import build, load, read_toml
from diarize.corpora.ami import AmiSettings, wanted_meetings
from diarize.corpora.callhome import CallhomeSettings
from diarize.corpora.voxconverse import VoxConverseSettings
from diarize.inference.diarize import DiarizerSettings
from diarize.inference.scene_supply import SceneSettings
from diarize.models import make_model
from diarize.training.settings import TrainSettings

EGS = Path(__file__).parents[2] / "egs"
AMI, VOXCONVERSE, CALLHOME = EGS / "ami", EGS / "voxconverse", EGS / "callhome"


@pytest.fixture
def walked(stub, tmp_path):
    """A function: the calls that an eg makes of a stand-in for Python, up to a stage."""
    python, notes = stub

    def walk(eg, *words, **environment):
        data = tmp_path / "the data"
        data.mkdir(exist_ok=True)
        words = ["--data", data, "--exp", tmp_path / "exp", *words]
        done = subprocess.run(
            ["bash", str(eg / "run.sh"), *map(str, words)],
            env=os.environ | {"DIARIZE_PYTHON": str(python)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in notes.read_text().splitlines()]

    return walk


def after(call, word):
    return call[call.index(word) + 1]


@pytest.mark.parametrize(
    ("eg", "corpus", "environment", "told"),
    [
        (
            AMI,
            "ami",
            {"AMI": "/my ami", "AMI_REFERENCES": "/my setup"},
            ["--corpus", "/my ami", "--references", "/my setup"],
        ),
        (
            VOXCONVERSE,
            "voxconverse",
            {"VOXCONVERSE": "/v", "VOXCONVERSE_LABELS": "/my labels"},
            ["--corpus", "/v", "--references", "/my labels"],
        ),
        (
            CALLHOME,
            "callhome",
            {"CALLS": "/c", "CALLS_REFERENCES": "/r", "CALLS_UEM": "/u"},
            ["--corpus", "/c", "--references", "/r", "--uem", "/u"],
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_places_of_one_s_own_are_told_to_both_stages(eg, corpus, environment, told, walked):
    calls = walked(eg, "--stop-stage", 1, **environment)
    assert [call[2:4] for call in calls] == [["fetch", corpus], ["prepare", corpus]]
    assert all(call[-len(told) :] == told for call in calls)


def test_nothing_is_named_that_was_not_given(walked):
    calls = walked(AMI, "--stop-stage", 1)
    assert not {word for call in calls for word in call} & {"--corpus", "--references", "--also"}


def test_nothing_is_trained_unless_that_is_asked_for(walked):
    verbs = [call[2] for call in walked(AMI, "--stop-stage", 3)]
    assert verbs == ["fetch", "prepare"]


def test_training_fetches_and_lists_the_train_meetings_too(walked, tmp_path):
    calls = walked(AMI, "--stop-stage", 3, TRAIN="yes")
    fetch, whole, train_part, features, train = calls
    assert after(fetch, "--also") == "train"
    assert "--only" not in whole
    assert after(train_part, "--only") == "train"
    inner = features[features.index("--") + 1 :]
    assert inner[3:5] == ["prepare", "scenes"]
    assert after(inner, "--conf") == after(train, "--conf") == "conf/attributor.toml"
    assert after(train, "--exp") == f"{tmp_path}/exp/train"


def test_the_miniature_trains_a_tiny_model(walked):
    calls = walked(AMI, "--conf", "conf/mini.toml", "--stop-stage", 3, TRAIN="yes")
    assert after(calls[-1], "--conf") == "conf/tiny_attributor.toml"
    assert after(calls[0], "--conf") == "conf/mini.toml"


def test_calls_that_are_not_there_are_told_with_what_to_put_where(tmp_path):
    words = ["--data", tmp_path / "data", "--exp", tmp_path / "exp", "--stop-stage", 0]
    done = subprocess.run(
        ["bash", str(CALLHOME / "run.sh"), *map(str, words)],
        env=os.environ | {"DIARIZE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{tmp_path}/data/corpus: no conversations; put recordings" in done.stderr
    assert "LDC97S42" in done.stderr


# Settings


@pytest.mark.parametrize(
    ("name", "microphone", "n_meetings"),
    [
        ("mix_headset", "mix_headset", 16),
        ("mix_headset_dev", "mix_headset", 18),
        ("sdm", "array1_01", 16),
        ("sdm_dev", "array1_01", 18),
        ("mini", "mix_headset", 10),
    ],
)
def test_a_conf_is_of_a_microphone_and_a_part(name, microphone, n_meetings):
    conf = AMI / "conf" / f"{name}.toml"
    settings = load(AmiSettings, conf, "data")
    assert settings.microphone == microphone
    assert settings.labels == "only_words"
    assert len(wanted_meetings(settings)) == n_meetings
    assert load(DiarizerSettings, conf, "infer") == DiarizerSettings()


def test_other_confs_say_what_they_are_of():
    for part in ("dev", "test"):
        made = load(VoxConverseSettings, VOXCONVERSE / "conf" / f"{part}.toml", "data")
        assert made.parts == (part,)
    two = CALLHOME / "conf" / "two.toml"
    assert load(CallhomeSettings, two, "data") == CallhomeSettings()
    assert load(DiarizerSettings, two, "infer").num_speakers == 2
    assert load(DiarizerSettings, CALLHOME / "conf" / "default.toml", "infer").num_speakers is None


@pytest.mark.parametrize("name", ["attributor", "tiny_attributor"])
def test_an_attributor_s_conf_can_be_trained(name):
    tables = read_toml(AMI / "conf" / f"{name}.toml")
    assert build(SceneSettings, tables["data"], "[data]").folders == ("train",)
    with torch.device("meta"):
        model = make_model(tables["model"]["name"], tables["model"], "[model]")
    assert build(TrainSettings, tables["train"], "[train]").phases_of(model.phases)
