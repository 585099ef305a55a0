"""`diarize images`: the tiny conf of egs/mnist through all its stages, and what can go wrong."""

import json
import re
import shutil
from pathlib import Path

import pytest

from diarize.cli import main

CONF = Path(__file__).parents[2] / "egs" / "mnist" / "conf" / "tiny.toml"
BASELINE = """
extends = "base.toml"
[model]
n_sources = 2
n_latent = 3
widths = [8]
[train.phases.mixtures]
epochs = 1
"""
JUDGE = """
extends = "base.toml"
[model]
channels = [2]
kernel = 3
n_hidden = 4
[train.phases.experts]
epochs = 1
"""
BASE = """
[data]
corpus = "digits"
n_test_mixtures = 40
expert_batch = 40
fixed_mixtures = false
presence_by_count = [0.0, 0.0, 1.0]
n_train_mixtures = 80
mixture_batch = 40
[model]
name = "{name}"
[train]
threads = 1
"""


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def trained(call, small_mnist, tmp_path):
    """A function: train a conf on the small digits; give the folder of its weights."""
    (tmp_path / "data").symlink_to(small_mnist)

    def train(name, text=None):
        conf = CONF
        if text is not None:
            conf = tmp_path / f"{name}.toml"
            (tmp_path / "base.toml").write_text(BASE.format(name=name))
            conf.write_text(text)
        code, _, err = call("prepare", "digits", "--data", "data", "--conf", conf)
        assert code == 0, err
        code, _, err = call("train", "--conf", conf, "--data", "data", "--exp", name)
        assert code == 0, err
        return Path(name) / "model.safetensors"

    return train


@pytest.fixture
def inferred(call, trained):
    """A function: that, and what it makes of the test mixtures."""

    def infer(name, text=None, *words):
        model = trained(name, text)
        options = ("--model", model, "--data", "data", "-o", f"{name}/result", *words)
        code, out, err = call("images", "infer", *options)
        assert (code, out) == (0, f"{name}/result/about.json\n"), err
        return Path(name)

    return infer


@pytest.mark.slow
def test_the_tiny_conf_goes_through_all_stages(call, inferred):
    exp = inferred("tiny", None, "--conf", CONF, "--name", "tiny")
    assert len(list((exp / "result").glob("*.safetensors"))) == 8
    places = ("--data", "data", "--result", exp / "result", "--conf", CONF)
    json_file, page = exp / "score.json", exp / "report.html"
    code, out, err = call("images", "score", *places, "-o", json_file, "--markdown", exp / "s.md")
    assert (code, err) == (0, "")
    assert re.search(r"^tiny +test_K2 +K and classes +40 +\d", out, re.MULTILINE)
    assert "no classifier was given (--judge), so nothing is judged" in out
    assert "| tiny " in (exp / "s.md").read_text()
    score = json.loads(json_file.read_text())
    assert [row["set"] for row in score["rows"][::2]] == [
        "test_K2",
        "test_K3",
        "test_K4",
        "test_bernoulli",
    ]
    assert len(score["systems"][0]["learned"]["pi"]) == 10
    model = ("--model", exp / "model.safetensors", "--score", json_file)
    code, out, err = call("images", "report", *places, *model, "-o", page)
    assert (code, out, err) == (0, f"{page}\n", "")
    text = page.read_text()
    for title in ("Scores", "Mixtures of test_K3", "Latents", "Learning"):
        assert f"<h2>{title}</h2>" in text
    assert text.count('src="data:image/png;base64,') >= 6
    assert "http://" not in text
    assert "https://" not in text


@pytest.mark.slow
def test_a_baseline_and_a_judge_come_into_the_same_table(call, inferred, trained):
    judge = trained("digit_classifier", JUDGE)
    baseline = inferred("vaebss", BASELINE)
    exp = inferred("tiny", None, "--conf", CONF)
    code, out, err = call(
        *("images", "score", "--data", "data", "--result", exp / "result"),
        *("--beside", f"halves={baseline / 'result'}", "--judge", judge, "-o", "s.json"),
    )
    assert code == 0
    assert "halves, test_K2 unknown: mixtures of an unknown number of sources" in err
    rows = json.loads(Path("s.json").read_text())["rows"]
    halves = [row for row in rows if row["system"] == "halves"]
    assert [(row["set"], row["told"], row["patterns"]) for row in halves] == [
        ("test_K2", "K", None)
    ]
    assert [(one["variant"], one["pairing"]) for one in halves[0]["images"]] == [
        ("decoded", "permutation"),
        ("masked", "permutation"),
    ]
    assert all(one["judged"]["n"] == 80 for one in halves[0]["images"])
    assert "judged: images in which a classifier sees the true class" in out
    code, _, err = call(
        *("images", "report", "--data", "data", "--result", baseline / "result"),
        *("--model", baseline / "model.safetensors", "-o", "b.html"),
    )
    assert (code, err) == (0, "")
    assert "This model knows no classes" in Path("b.html").read_text()


def test_what_is_finished_is_kept(call, inferred):
    exp = inferred("tiny", None, "--conf", CONF)
    times = {path: path.stat().st_mtime_ns for path in (exp / "result").glob("*.safetensors")}
    model = exp / "model.safetensors"
    options = ("--data", "data", "--conf", CONF, "-o", exp / "result")
    assert call("images", "infer", "--model", model, *options)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_classifier_attributes_no_mixtures_and_a_model_of_them_judges_no_images(
    call, trained, inferred
):
    judge = trained("digit_classifier", JUDGE)
    code, _, err = call("images", "infer", "--model", judge, "--data", "data", "-o", "r")
    assert (code, err.count("\n")) == (2, 1)
    assert "says nothing of mixtures" in err
    exp = inferred("tiny", None, "--conf", CONF)
    places = ("--data", "data", "--result", exp / "result")
    code, _, err = call("images", "score", *places, "--judge", exp / "model.safetensors")
    assert (code, err.count("\n")) == (2, 1)
    assert "no classifier" in err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["score", "--data", "d", "--result", "nowhere"], 1, "run diarize images infer"),
        (["score", "--data", "d", "--result", "r", "--beside", "x"], 2, "NAME=DIR with a new name"),
        (
            ["score", "--data", "d", "--result", "r", "--beside", "a=x", "--beside", "a=y"],
            2,
            "--beside a=y; NAME=DIR with a new name",
        ),
        (
            ["report", "--data", "d", "--result", "nowhere", "-o", "p"],
            1,
            "run diarize images infer",
        ),
        (["infer", "--model", "no.safetensors", "--data", "d", "-o", "r"], 1, "no.json"),
    ],
)
def test_a_call_that_cannot_be_is_one_line(call, words, code, told):
    found, out, err = call("images", *words)
    assert (found, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [(), ("draw",)])
def test_an_action_that_is_none_is_named(call, words, capsys):
    with pytest.raises(SystemExit) as stop:
        call("images", *words)
    assert stop.value.code == 2
    assert "ACTION" in capsys.readouterr().err


def test_a_conf_with_an_unknown_setting_is_one_line(call, inferred, tmp_path):
    exp = inferred("tiny", None, "--conf", CONF)
    shutil.copy(CONF, tmp_path / "base.toml")
    conf = tmp_path / "a.toml"
    conf.write_text('extends = "base.toml"\n[score]\nvariant = ["masked"]\n')
    places = ("--data", "data", "--result", exp / "result", "--conf", conf)
    code, _, err = call("images", "score", *places)
    assert (code, err.count("\n")) == (1, 1)
    assert "did you mean 'variants'?" in err
