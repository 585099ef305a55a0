"""`diarize factors` as it is called: results, tables and page of a tiny training."""

import json

import pytest

from diarize.cli import main

CONF = """
[data]
corpus = "sprites"
side = 8
n_levels = 4
n_train = 40
n_dev = 0
n_test = 30
batch = 20
[model]
name = "multibeta"
n_values = 64
widths = [2, 4]
n_latents = 3
n_hidden = 8
n_features = 4
n_knots = 4
[model.diffusion]
n_steps = 10
width = 8
n_blocks = 1
[train]
threads = 1
[train.phases.autoencoder]
epochs = 1
[train.phases.diffusion]
epochs = 1
[infer]
n_levels = 2
n_steps = 2
few_steps = [2]
ancestral_steps = 4
n_samples = 10
n_shown = 2
n_edited = 1
n_amounts = 1
[score]
n_dci = 0
n_components = 3
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a conf, what was prepared by it, and what was trained."""
    folder = tmp_path_factory.mktemp("factors")
    conf, data = folder / "conf.toml", folder / "data"
    conf.write_text(CONF)
    assert main(["prepare", "sprites", "--data", str(data), "--conf", str(conf)]) == 0
    words = ["--conf", str(conf), "--data", str(data), "--exp", str(folder / "train")]
    assert main(["train", *words]) == 0
    return folder


def factors(folder, *words):
    more = ["--data", str(folder / "data"), "--conf", str(folder / "conf.toml")]
    return main(["factors", *map(str, words), *more])


def test_a_training_is_used_scored_and_shown(trained, capsys):
    weights, result = trained / "train" / "model.safetensors", trained / "result"
    assert factors(trained, "infer", "--model", weights, "--name", "tiny", "-o", result) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(result / "factors.safetensors")
    assert "stage one is " in said.err
    score, beside = trained / "score.json", f"again={result}"
    words = ["--result", result, "-o", score, "--beside", beside]
    assert factors(trained, "score", *words, "--markdown", trained / "score.md") == 0
    table = capsys.readouterr().out
    assert "Fréchet distance to the test images, by the first 3 principal components" in table
    assert {row["model"] for row in json.loads(score.read_text())["levels"]} == {"tiny", "again"}
    page, journal = trained / "page.html", trained / "train" / "journal.jsonl"
    words = ["--result", result, "--score", score, "--journal", journal, "-o", page]
    assert factors(trained, "report", *words) == 0
    text = page.read_text()
    for title in ("Scores", "Beta ladder", "Noise of latents", "Edits", "Learning"):
        assert f"<h2>{title}</h2>" in text


def test_a_beta_outside_of_the_trained_range_is_a_wrong_call(trained, tmp_path, capsys):
    conf = tmp_path / "conf.toml"
    conf.write_text(CONF.replace("[infer]", "[infer]\nedit_beta = 2000.0"))
    weights = trained / "train" / "model.safetensors"
    words = ["--model", str(weights), "--data", str(trained / "data"), "--conf", str(conf)]
    assert main(["factors", "infer", *words, "-o", str(tmp_path / "result")]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "beta = 2000; this model was trained for betas from 0.1 to 1000" in told
    assert not (tmp_path / "result").exists()


def test_results_that_are_not_there_are_said_with_what_to_run(trained, tmp_path, capsys):
    assert factors(trained, "score", "--result", tmp_path) == 1
    assert "run diarize factors infer" in capsys.readouterr().err
    assert factors(trained, "score", "--result", tmp_path, "--beside", "nothing") in (1, 2)
