"""Data that a training is judged by: a weight that falls by .1 an epoch, best at .3."""

import json
from dataclasses import dataclass, replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from toy import SETTINGS, ToySupply, new_toy

from diarize.corpora.batch import Batch
from diarize.errors import BadCall, BadFile
from diarize.models.contract import Losses
from diarize.training.loop import Watched, train
from diarize.training.settings import PhaseSettings, TrainSettings

PATIENT = PhaseSettings(epochs=20, rate=0.1, patience=2)


@dataclass(frozen=True)
class NoSettings:
    pass


class Falling(nn.Module):
    """Costs its weight; but where inputs are 1, how far the weight is from .3."""

    settings_type, settings = NoSettings, NoSettings()
    phases = ("first", "second")

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.6))
        self.register_buffer("n_seen", torch.tensor(0))

    def begin(self, phase):
        self.train()

    def loss(self, batch, generator):
        self.n_seen += 1
        far = (self.weight - 0.3).abs()
        parts = {"near": -far.detach(), "learns": torch.tensor(float(self.training))}
        return Losses(torch.where(batch.inputs[0, 0] == 1, far, self.weight), parts)

    def end_epoch(self):
        return {"seen": float(self.n_seen)}


Falling.__module__, Falling.__qualname__ = "toy", "Toy"


@dataclass
class Same:
    """One batch an epoch, of this value; stops before some epoch."""

    value: float
    stop: int = 99

    def n_batches(self, phase):
        return 1

    def epoch(self, phase, epoch, start=0):
        if epoch == self.stop:
            raise KeyboardInterrupt
        yield Batch(torch.full((3, 1), self.value))


def settings(**phases):
    return TrainSettings(phases=phases, checkpoint_every_s=0.0, threads=1)


def watched(stop=99):
    return Watched(Same(0.0, stop), Same(1.0))


def rows(folder, kind=None):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert all(line.pop("seconds") >= 0 for line in lines)
    return [line for line in lines if kind in (None, line["kind"])]


def test_out_of_patience_a_phase_ends_with_its_best_weights_and_says_so(tmp_path):
    model = Falling()
    trained = train(model, watched(), settings(first=PATIENT), tmp_path)
    looks = rows(tmp_path, "development")
    assert [look["total"] for look in looks] == pytest.approx([0.2, 0.1, 0.0, 0.1, 0.2], abs=1e-5)
    assert [look["n_waited"] for look in looks] == [0, 0, 0, 1, 2]
    (stop,) = rows(tmp_path, "stop")
    assert (stop["watch"], stop["steps"]) == ("total", 5)
    assert stop["best"] == pytest.approx(0, abs=1e-5)
    assert trained.steps == 5
    assert load_file(trained.path)["weight"].item() == pytest.approx(0.3, abs=1e-5)
    assert model.weight.item() == pytest.approx(0.3, abs=1e-5)


def test_a_look_leaves_no_trace_in_the_model(tmp_path):
    train(Falling(), watched(), settings(first=PATIENT), tmp_path)
    assert {look["learns"] for look in rows(tmp_path, "development")} == {0.0}
    ends = rows(tmp_path, "epoch")
    assert [end["seen"] for end in ends] == [1, 2, 3, 4, 5]
    assert {step["learns"] for step in rows(tmp_path, "step")} == {1.0}


def test_without_patience_it_is_looked_at_and_nothing_changes(tmp_path):
    train(new_toy(), Watched(ToySupply(), ToySupply()), SETTINGS, tmp_path / "watched")
    train(new_toy(), ToySupply(), SETTINGS, tmp_path / "alone")
    watched, alone = (load_file(tmp_path / n / "model.safetensors") for n in ("watched", "alone"))
    assert all(torch.equal(watched[name], one) for name, one in alone.items())
    assert len(rows(tmp_path / "watched", "development")) == 4


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_stopped_while_it_waits_it_goes_on_to_the_same_end(tmp_path, stop):
    with pytest.raises(KeyboardInterrupt):
        train(Falling(), watched(stop), settings(first=PATIENT), tmp_path / "stopped")
    for name in ("stopped", "whole"):
        train(Falling(), watched(), settings(first=PATIENT), tmp_path / name)
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    stopped, whole = (load_file(tmp_path / n / "model.safetensors") for n in ("stopped", "whole"))
    assert all(torch.equal(stopped[name], one) for name, one in whole.items())


def test_what_ended_early_is_not_repeated(tmp_path):
    train(Falling(), watched(), settings(first=PATIENT), tmp_path)
    before = (tmp_path / "journal.jsonl").read_bytes()
    model = Falling()
    assert train(model, watched(), settings(first=PATIENT), tmp_path).steps == 5
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    assert model.weight.item() == pytest.approx(0.3, abs=1e-5)


def test_the_next_phase_goes_on_from_the_best(tmp_path):
    both = settings(first=PATIENT, second=PhaseSettings(epochs=1, rate=0.1))
    train(Falling(), watched(), both, tmp_path)
    last = rows(tmp_path, "step")[-1]
    assert (last["phase"], last["total"]) == ("second", pytest.approx(0.3, abs=1e-5))


def test_a_part_may_be_watched_that_is_better_when_higher_and_not_at_every_epoch(tmp_path):
    phase = replace(PATIENT, watch="near", better="higher", evaluate_every=3, patience=1)
    train(Falling(), watched(), settings(first=phase), tmp_path)
    looks = rows(tmp_path, "development")
    assert [look["near"] for look in looks] == pytest.approx([0.0, -0.3], abs=1e-5)
    assert [look["steps"] for look in looks] == [3, 6]


def test_patience_without_data_to_judge_by_is_refused(tmp_path):
    with pytest.raises(BadFile, match=r"first\]: patience = 2, and there are no data to judge by"):
        train(Falling(), Same(0.0), settings(first=PATIENT), tmp_path)


def test_a_number_to_watch_that_there_is_not_is_refused_with_those_there_are(tmp_path):
    phase = replace(PATIENT, watch="loss")
    with pytest.raises(BadCall, match="watch = 'loss'; this model's losses have total, near"):
        train(Falling(), watched(), settings(first=phase), tmp_path)
