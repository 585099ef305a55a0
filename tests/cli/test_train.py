"""`diarize train`: a conf and a prepared folder in, weights out."""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from diarize import models
from diarize.cli import main, train_bar
from diarize.config import build
from diarize.corpora import supplies
from diarize.corpora.batch import Batch
from diarize.models.contract import Losses
from diarize.training.course import Progress
from diarize.training.tensors import read_tensors

CONF = """
[data]
corpus = "toys"
n_batches = 3
[model]
name = "toy"
width = 2
[train]
seed = 5
journal_every = 2
[train.phases.only]
epochs = 2
"""


@dataclass(frozen=True)
class ToySettings:
    width: int = 1


class Toy(torch.nn.Module):
    phases = ("only",)

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.layer = torch.nn.Linear(3, settings.width)
        self.other = torch.nn.Linear(1, 1)

    def begin(self, phase):
        pass

    def loss(self, batch, generator):
        return Losses(self.layer(batch.inputs).square().mean())

    def end_epoch(self):
        return {}


@dataclass(frozen=True)
class ToyData:
    n_batches: int = 1
    colour: str = "red"


class ToySupply:
    settings_type = ToyData
    stopped_at = None

    def __init__(self, folder, settings):
        self.settings = settings

    def n_batches(self, phase):
        return self.settings.n_batches

    def epoch(self, phase, epoch, start=0):
        for step in range(start, self.settings.n_batches):
            if (epoch, step) == self.stopped_at:
                signal.raise_signal(signal.SIGINT)
            yield Batch(torch.full((2, 3), float(epoch + step)))


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """A function: run the verb; its exit code, standard output, and standard error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text(CONF)

    def make_model(name, settings, where):
        assert (name, where) == ("toy", "a.toml [model]")
        return Toy(build(ToySettings, settings, where))

    monkeypatch.setattr(models, "MODELS", {"toy": f"{__name__}:Toy"}, raising=False)
    monkeypatch.setattr(models, "make_model", make_model, raising=False)
    monkeypatch.setattr(supplies, "SUPPLIES", {"toys": f"{__name__}:ToySupply"})

    def run(*words):
        code = main(["train", "--conf", "a.toml", "--data", "data", "--exp", "exp", *words])
        return code, *capsys.readouterr()

    return run


def test_the_weights_path_is_the_result_and_a_line_an_epoch_goes_to_standard_error(train):
    code, out, err = train()
    assert (code, out) == (0, "exp/model.safetensors\n")
    first, second = err.splitlines()
    assert first.startswith("only, epoch 1 of 2: loss ")
    assert first.endswith(", 50.0 % done")
    assert second.endswith(", 100.0 % done")


def test_the_json_beside_it_has_all_settings_and_the_summary_of_the_data(train, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "summary.json").write_text('{"images": 3}')
    train()
    card = json.loads((tmp_path / "exp" / "model.json").read_text())
    assert card["model"] == {"name": "toy", "settings": {"width": 2}}
    assert card["data"] == {
        "corpus": "toys",
        "settings": {"n_batches": 3, "colour": "red"},
        "summary": {"images": 3},
    }
    assert card["train"]["seed"] == 5


def test_one_that_ended_is_not_repeated_and_fresh_repeats_it_to_the_same_weights(train, tmp_path):
    train()
    weights = (tmp_path / "exp" / "model.safetensors").read_bytes()
    assert train() == (0, "exp/model.safetensors\n", "")
    code, _, err = train("--fresh")
    assert (code, len(err.splitlines())) == (0, 2)
    assert (tmp_path / "exp" / "model.safetensors").read_bytes() == weights


def test_other_settings_in_the_same_folder_are_one_line_and_exit_code_1(train, tmp_path):
    train()
    (tmp_path / "a.toml").write_text(CONF.replace("seed = 5", "seed = 6"))
    code, out, err = train()
    assert (code, out) == (1, "")
    assert "is of another training (train.seed was 5, is 6)" in err
    assert err.count("\n") == 1
    assert train("--fresh")[0] == 0


def test_interrupted_it_has_the_exit_code_of_that_and_goes_on(train, monkeypatch):
    monkeypatch.setattr(ToySupply, "stopped_at", (1, 1))
    code, out, err = train()
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "diarize train: interrupted"
    position = read_tensors(Path("exp/checkpoint.safetensors")).facts["position"]
    assert (position["epoch"], position["step"]) == (1, 2)  # the step under way was finished
    assert train()[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('corpus = "toys"', "", "[data]: corpus = None; the name of one"),
        ('corpus = "toys"', 'corpus = "dolls"', "no corpus 'dolls' to train on"),
        ('name = "toy"', "name = 3", "[model]: name = 3; the name of one"),
        ("width = 2", "widht = 2", "a.toml [model]: no setting 'widht'; did you mean 'width'?"),
        (
            "phases.only",
            "phases.lonely",
            "[train.phases.lonely]: no such phase; this model has only",
        ),
        ("seed = 5", "sed = 5", "a.toml [train]: no setting 'sed'; did you mean 'seed'?"),
    ],
)
def test_a_conf_that_cannot_be_used_is_one_line(train, tmp_path, old, new, told):
    (tmp_path / "a.toml").write_text(CONF.replace(old, new))
    code, out, err = train()
    assert code in (1, 2)
    assert out == ""
    assert told in err
    assert err.count("\n") == 1


def test_a_table_says_what_differs_in_the_data_to_judge_by(train, tmp_path):
    (tmp_path / "a.toml").write_text(CONF + "[train.develop]\nn_batches = 1\n")
    assert train()[0] == 0
    lines = [json.loads(line) for line in Path("exp/journal.jsonl").read_text().splitlines()]
    looks = [line for line in lines if line["kind"] == "development"]
    assert [look["epoch"] for look in looks] == [0, 1]
    assert "total" in looks[0]
    (tmp_path / "a.toml").write_text(CONF + '[train.develop]\nn_batch = "1"\n')
    code, _, err = train("--fresh")
    assert code == 1
    assert "a.toml [train.develop]: no setting 'n_batch'; did you mean 'n_batches'?" in err


def test_patience_without_such_a_table_is_one_line(train, tmp_path):
    (tmp_path / "a.toml").write_text(CONF + "patience = 2\n")
    code, _, err = train()
    assert code == 1
    assert "a table [train.develop] says what differs in them from [data]" in err
    assert err.count("\n") == 1


def test_the_time_that_is_left_is_told_in_words():
    told = {
        seconds: train_bar._rest(Progress("a", 1, 2, True, 0.5, 1.0, seconds))
        for seconds in (7.4, 95.0, 7300.0)
    }
    assert list(told.values()) == ["7 s to go", "1 min 35 s to go", "2 h 1 min to go"]


def test_on_a_terminal_there_is_a_bar(monkeypatch):
    class Terminal(list):
        def isatty(self):
            return True

        def write(self, text):
            self.append(text)

        def flush(self):
            pass

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with train_bar.training_bar() as told:
        told(Progress("experts", 2, 9, False, 0.5, 12.34567))
    assert "experts, epoch 2 of 9: loss 12.35" in "".join(terminal)


def test_a_training_may_start_from_weights_of_another(train, tmp_path):
    train()
    made = (tmp_path / "exp").rename(tmp_path / "first")
    first = read_tensors(made / "model.safetensors")
    (tmp_path / "a.toml").write_text(
        CONF.replace("seed = 5", 'seed = 5\nstart = "first/model.safetensors"').replace(
            "epochs = 2", "epochs = 1\nrate = 1e-9"
        )
    )
    assert train()[0] == 0
    found = read_tensors(tmp_path / "exp" / "model.safetensors").tensors
    for name, tensor in first.tensors.items():
        torch.testing.assert_close(found[name], tensor)
    card = json.loads((tmp_path / "exp" / "model.json").read_text())
    assert card["data"]["start"]["file"] == "model.safetensors"
    assert card["data"]["start"]["checksum"] == first.checksum


def test_weights_of_another_shape_are_no_start(train, tmp_path):
    train()
    (tmp_path / "exp").rename(tmp_path / "first")
    wider = CONF.replace("width = 2", "width = 3")
    (tmp_path / "a.toml").write_text(
        wider.replace("seed = 5", 'seed = 5\nstart = "first/model.safetensors"')
    )
    code, _, err = train()
    assert code == 1
    assert "of another model" in err


def test_a_part_may_start_from_weights_of_a_model_that_differs_elsewhere(train, tmp_path):
    train()
    made = (tmp_path / "exp").rename(tmp_path / "first")
    first = read_tensors(made / "model.safetensors").tensors
    begin = 'seed = 6\nstart = "first/model.safetensors"\nstart_parts = ["other"]'
    wider = CONF.replace("width = 2", "width = 3").replace("epochs = 2", "epochs = 1\nrate = 1e-9")
    (tmp_path / "a.toml").write_text(wider.replace("seed = 5", begin))
    assert train()[0] == 0
    found = read_tensors(tmp_path / "exp" / "model.safetensors").tensors
    torch.testing.assert_close(found["other.weight"], first["other.weight"])
    assert found["layer.weight"].shape == (3, 3)
    card = json.loads((tmp_path / "exp" / "model.json").read_text())
    assert card["data"]["start"]["parts"] == ["other"]


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        ('start = "first/model.safetensors"\nstart_parts = ["nose"]', "no part 'nose'; of the"),
        ('start_parts = ["nose"]', "without start"),
    ],
)
def test_parts_that_cannot_be_started_are_one_line(train, tmp_path, begin, said):
    train()
    (tmp_path / "exp").rename(tmp_path / "first")
    (tmp_path / "a.toml").write_text(CONF.replace("seed = 5", f"seed = 5\n{begin}"))
    code, _, err = train()
    assert (code, err.count("\n")) == (1, 1)
    assert said in err


@pytest.mark.parametrize("start", ["nowhere.safetensors", "a.toml"])
def test_a_start_that_is_no_weights_is_one_line(train, tmp_path, start):
    conf = CONF.replace("seed = 5", f'seed = 5\nstart = "{start}"')
    (tmp_path / "a.toml").write_text(conf)
    code, out, err = train()
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert start.partition(".")[0] in err
    assert not (tmp_path / "exp" / "model.safetensors").exists()
