"""A training: what it does, what it leaves, and that stopping it anywhere changes nothing."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from toy import LONG, N_STEPS, PHASES, SETTINGS, Toy, ToySettings, ToySupply, new_toy

from diarize.corpora.batch import Batch
from diarize.errors import BadCall, BadFile
from diarize.models.contract import Losses
from diarize.training import checkpoint as checkpoints
from diarize.training import course, progress
from diarize.training.checkpoint import Position
from diarize.training.loop import Progress, Trained, pick_device, train
from diarize.training.shipped import load_model
from diarize.training.tensors import read_tensors, save_tensors
from diarize.training.update import Diverged

OFTEN = replace(SETTINGS, checkpoint_every_s=0.0)


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


class Fragile(Toy):
    """Is killed in its loss or at the end of an epoch, when it was called so often."""

    def __init__(self, calls):
        super().__init__()
        self.load_state_dict(new_toy().state_dict())
        self.calls = calls

    def _call(self):
        self.calls -= 1
        if self.calls < 0:
            raise Killed

    def loss(self, batch, generator):
        found = super().loss(batch, generator)  # the sums are touched before it is killed
        self._call()
        return found

    def end_epoch(self):
        found = super().end_epoch()
        self._call()
        return found


Fragile.__module__, Fragile.__qualname__ = "toy", "Toy"


def journal_lines(folder):
    return (folder / "journal.jsonl").read_text().splitlines()


def journal(folder):
    """The rows of a journal without the times."""
    rows = [json.loads(line) for line in journal_lines(folder)]
    assert all(row.pop("seconds") >= 0 for row in rows)
    return rows


def same(folder, other):
    """Whether two trainings ended in the very same bits, and tell the same of it."""
    mine, its = (load_file(one / "model.safetensors") for one in (folder, other))
    assert mine.keys() == its.keys()
    return journal(folder) == journal(other) and all(
        torch.equal(mine[name], its[name]) for name in mine
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that nothing stopped."""
    from diarize import models

    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "MODELS", {"toy": "toy:Toy"}, raising=False)
        train(new_toy(), ToySupply(), SETTINGS, folder)
    return folder


def test_phases_go_in_the_models_order_and_those_without_settings_are_left_out(whole):
    rows = journal(whole)
    places = [(row["phase"], row["epoch"]) for row in rows if row["kind"] == "epoch"]
    assert places == [("experts", 0), ("experts", 1), ("mixtures", 0), ("mixtures", 1)]
    assert rows[-1]["steps"] == N_STEPS


def test_the_journal_has_a_line_every_so_many_steps_and_one_at_the_end_of_an_epoch(whole):
    first = [row for row in journal(whole) if row["epoch"] == 0 and row["phase"] == "experts"]
    assert [(row["kind"], row.get("step"), row.get("n_steps")) for row in first] == [
        ("step", 1, 2),
        ("step", 3, 2),
        ("step", 4, 1),
        ("epoch", None, None),
    ]
    assert first[0].keys() == {
        *("kind", "phase", "epoch", "steps", "step", "n_steps", "rate"),
        *("total", "gradient_norm", "error", "label"),
    }
    assert first[0]["label"] == 2.5  # labels 0 to 5 came with the batch
    assert first[0]["total"] == pytest.approx(first[0]["error"])  # the scale is 1 so far
    assert 0.5 < first[-1]["b"] < 1.5


def test_a_line_has_the_mean_of_its_steps(tmp_path, whole):
    train(new_toy(), ToySupply(), replace(SETTINGS, journal_every=1), tmp_path)
    each = [row["total"] for row in journal(tmp_path) if row["kind"] == "step"]
    assert journal(whole)[1]["total"] == pytest.approx((each[2] + each[3]) / 2, rel=1e-12)


def test_what_comes_back_names_the_weights_and_the_last_losses(tmp_path, whole):
    trained = train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    assert isinstance(trained, Trained)
    assert trained.path == tmp_path / "model.safetensors"
    assert trained.steps == N_STEPS
    assert trained.seconds > 0
    last = [row for row in journal(whole) if row["kind"] == "step"][-1]
    assert trained.losses == {name: last[name] for name in ("total", "error", "label")}


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path, whole):
    train(new_toy(), ToySupply(), SETTINGS, tmp_path / "same")
    train(new_toy(), ToySupply(), replace(SETTINGS, seed=4), tmp_path / "other")
    assert same(tmp_path / "same", whole)
    assert not same(tmp_path / "other", whole)


def test_chance_and_threads_outside_of_the_training_are_left_alone(tmp_path):
    before = torch.get_rng_state()
    train(new_toy(), ToySupply(), replace(SETTINGS, threads=2), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 1


def test_what_is_frozen_in_a_phase_keeps_its_weights_in_the_average_too(tmp_path):
    toy = new_toy()
    train(toy, ToySupply(), replace(SETTINGS, keep_phases=True), tmp_path)
    experts = load_file(tmp_path / "checkpoint.safetensors")
    shipped = load_file(tmp_path / "model.safetensors")
    assert torch.equal(shipped["decoder.weight"], experts["model/decoder.weight"])
    assert not torch.equal(shipped["encoder.0.weight"], experts["model/encoder.0.weight"])
    after = load_model(tmp_path / "after_experts.safetensors")
    assert not torch.equal(after.encoder[0].weight, toy.encoder[0].weight)


def test_the_model_ends_with_the_weights_that_ship(tmp_path):
    toy = new_toy()
    trained = train(toy, ToySupply(), SETTINGS, tmp_path)
    for name, tensor in load_file(trained.path).items():
        assert torch.equal(toy.state_dict()[name], tensor)


def test_without_an_average_the_last_weights_ship(tmp_path):
    train(new_toy(), ToySupply(), replace(SETTINGS, average_decay=0.0), tmp_path)
    last = load_file(tmp_path / "checkpoint.safetensors")
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        assert torch.equal(last[f"model/{name}"], tensor)


@pytest.mark.parametrize("calls", range(N_STEPS + 4))
def test_killed_in_any_step_or_end_of_an_epoch_it_ends_as_if_never_stopped(tmp_path, whole, calls):
    with pytest.raises(Killed):
        train(Fragile(calls), ToySupply(), OFTEN, tmp_path)
    train(new_toy(seed=9), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole) or calls == 0  # before any step there is nothing to go on from


def test_killed_long_after_a_checkpoint_it_does_the_steps_since_again(tmp_path, whole, monkeypatch):
    now = [0.0]

    class Slow(Fragile):
        """In its fourth step the time comes for a checkpoint."""

        def loss(self, batch, generator):
            now[0] += 61 * (self.calls == 6)
            return super().loss(batch, generator)

    Slow.__module__, Slow.__qualname__ = "toy", "Toy"
    monkeypatch.setattr(course, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with pytest.raises(Killed):
        train(Slow(9), ToySupply(), SETTINGS, tmp_path)
    assert read_tensors(tmp_path / "checkpoint.safetensors").facts["position"]["steps"] == 4
    assert journal(tmp_path)[-1]["steps"] > 4
    train(new_toy(seed=9), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole)


def test_killed_again_and_again_it_ends_as_if_never_stopped(tmp_path, whole):
    for _ in range(40):
        try:
            train(Fragile(3), ToySupply(), OFTEN, tmp_path)
            break
        except Killed:
            continue
    assert same(tmp_path, whole)


@pytest.mark.parametrize("write", range(1, 6))
def test_killed_while_writing_a_checkpoint_it_goes_on_from_the_one_before(
    tmp_path, whole, monkeypatch, write
):
    replace_whole, writes = Path.replace, iter(range(1, 100))

    def replace_or_die(path, target):
        if path.name == ".checkpoint.safetensors.part" and next(writes) == write:
            path.write_bytes(path.read_bytes()[:100])
            raise Killed
        return replace_whole(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_or_die)
        with pytest.raises(Killed):
            train(new_toy(), ToySupply(), OFTEN, tmp_path)
    assert (tmp_path / ".checkpoint.safetensors.part").exists()
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole)
    assert not (tmp_path / ".checkpoint.safetensors.part").exists()


def test_killed_between_the_weights_and_their_json_it_writes_both_again(
    tmp_path, whole, monkeypatch
):
    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(course, "ship", die)
        with pytest.raises(Killed):
            train(new_toy(), ToySupply(), OFTEN, tmp_path)
    assert not (tmp_path / "model.json").exists()
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole)


def test_half_a_line_in_the_journal_is_dropped(tmp_path, whole):
    with pytest.raises(Killed):
        train(Fragile(7), ToySupply(), OFTEN, tmp_path)
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"kind": "step", "pha')
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole)


def test_a_training_that_has_ended_is_not_repeated(tmp_path, whole):
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    toy = new_toy(seed=9)
    again = train(toy, ToySupply(), SETTINGS, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert (again.steps, set(again.losses)) == (N_STEPS, {"total", "error", "label"})
    assert torch.equal(toy.scale, load_file(tmp_path / "model.safetensors")["scale"])


def test_what_was_forgotten_begins_afresh(tmp_path, whole):
    train(new_toy(), ToySupply(), replace(SETTINGS, seed=7, keep_phases=True), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    checkpoints.forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_stop_leaves_a_checkpoint_of_the_step_and_then_stops(tmp_path, whole, number):
    class Signalled(Toy):
        steps = 0

        def loss(self, batch, generator):
            self.steps += 1
            if self.steps == 7:
                signal.raise_signal(number)
            return super().loss(batch, generator)

    Signalled.__module__, Signalled.__qualname__ = "toy", "Toy"
    toy = Signalled()
    toy.load_state_dict(new_toy().state_dict())

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(toy, ToySupply(), SETTINGS, tmp_path)
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    kept = read_tensors(tmp_path / "checkpoint.safetensors")
    assert kept.facts["position"]["steps"] == 7
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole)


def test_a_checkpoint_from_before_there_was_patience_is_gone_on_from(tmp_path, whole):
    with pytest.raises(Killed):
        train(Fragile(7), ToySupply(), OFTEN, tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    read = read_tensors(path)
    position = {name: one for name, one in read.facts["position"].items() if name != "stopped"}
    facts = {name: read.facts[name] for name in ("identity", "journal")} | {"position": position}
    assert facts["identity"]["train"].keys() == {
        *("seed", "phases", "average_decay", "journal_every")
    }
    save_tensors(path, read.tensors, facts)
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    assert same(tmp_path, whole)


@pytest.mark.slow
def test_a_process_killed_at_some_moment_goes_on_to_the_same_numbers(tmp_path):
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    script, killed = Path(__file__).with_name("toy.py"), tmp_path / "killed"
    process = subprocess.Popen([sys.executable, script, killed], env=environment)
    try:
        while not (killed / "journal.jsonl").exists() or len(journal_lines(killed)) < 9:
            assert process.poll() is None
            time.sleep(0.007)
    finally:
        process.kill()
        process.wait()
    assert not (killed / "model.safetensors").exists()
    for folder in (killed, tmp_path / "whole"):
        train(new_toy(), ToySupply(), replace(SETTINGS, phases=LONG), folder)
    assert same(killed, tmp_path / "whole")


def test_progress_is_told_with_each_line_of_the_journal(tmp_path):
    told = []
    train(new_toy(), ToySupply(), SETTINGS, tmp_path, notify=told.append)
    assert all(isinstance(one, Progress) for one in told)
    assert len(told) == 2 * 3 + 2 * 2
    assert [one.share for one in told[:3]] == [2 / N_STEPS, 4 / N_STEPS, 5 / N_STEPS]
    assert told[-1].share == 1
    assert [one.epoch for one in told if one.is_epoch_end] == [1, 2, 1, 2]
    assert (told[-1].phase, told[-1].n_epochs) == ("mixtures", 2)


def test_the_time_that_is_left_is_reckoned_from_where_this_process_began(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    pace = progress.Pace({"experts": 2, "mixtures": 1}, {"experts": 5, "mixtures": 10})
    began = Position("experts", epoch=1, step=0)
    pace.begin(began)
    assert pace.progress(began, 3.0).remaining_s is None
    now[0] = 106.0
    told = pace.progress(Position("experts", epoch=1, step=3), 3.0)
    assert told.remaining_s == pytest.approx(2 * 12)  # 2 s a step; 2 here are left, and 10
    assert (told.epoch, told.n_epochs, told.share) == (2, 2, 0.4)


class Bad(Toy):
    """From the fourth step on its loss, or only its gradient, is not a number."""

    def __init__(self, hidden=False):
        super().__init__()
        self.hidden, self.steps = hidden, 0

    def loss(self, batch, generator):
        losses = super().loss(batch, generator)
        self.steps += 1
        if self.steps < 4:
            return losses
        zero = (self.decoder.weight * 0).sum()
        more = zero.sqrt() if self.hidden else zero + math.inf
        return Losses(losses.total + more, losses.parts)


Bad.__module__, Bad.__qualname__ = "toy", "Toy"


@pytest.mark.parametrize(("hidden", "found"), [(False, "the loss is inf"), (True, "length nan")])
def test_a_loss_or_gradient_that_is_not_finite_stops_it_and_leaves_the_checkpoint(
    tmp_path, hidden, found
):
    with pytest.raises(Diverged) as stopped:
        train(Bad(hidden), ToySupply(), OFTEN, tmp_path)
    message = str(stopped.value)
    assert message.startswith("experts, epoch 0, step 3: the loss is ")
    assert found in message
    assert "(error 0." in message
    assert message.endswith(f"the checkpoint in {tmp_path} is of step 3")
    kept = load_file(tmp_path / "checkpoint.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in kept.values())
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 4}, "train.seed was 3, is 4"),
        (
            {"phases": PHASES | {"experts": replace(PHASES["experts"], rate=0.5)}},
            "train.phases.experts.rate was 0.02, is 0.5",
        ),
        ({"phases": {"mixtures": PHASES["mixtures"]}}, "experts"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_with_what_differs(tmp_path, change, told):
    with pytest.raises(Killed):
        train(Fragile(3), ToySupply(), OFTEN, tmp_path)
    with pytest.raises(BadFile, match=r"checkpoint\.safetensors: is of another training") as bad:
        train(new_toy(), ToySupply(), replace(SETTINGS, **change), tmp_path)
    assert told in str(bad.value)


def test_a_checkpoint_of_another_model_or_other_data_is_refused_with_what_differs(tmp_path):
    train(new_toy(), ToySupply(), SETTINGS, tmp_path, data={"corpus": "digits"})
    with pytest.raises(BadFile, match=r"model\.settings\.width was 3, is 2"):
        train(
            new_toy(ToySettings(width=2)),
            ToySupply(),
            SETTINGS,
            tmp_path,
            data={"corpus": "digits"},
        )
    with pytest.raises(BadFile, match=r'data\.corpus was "digits", is "letters"'):
        train(new_toy(), ToySupply(), SETTINGS, tmp_path, data={"corpus": "letters"})


def test_what_does_not_decide_the_numbers_may_change_when_it_goes_on(tmp_path, whole):
    with pytest.raises(Killed):
        train(Fragile(3), ToySupply(), OFTEN, tmp_path)
    train(new_toy(), ToySupply(), replace(SETTINGS, threads=0, checkpoint_every_s=9.0), tmp_path)
    assert same(tmp_path, whole)


def test_weights_of_another_shape_under_the_same_name_are_refused(tmp_path):
    train(new_toy(), ToySupply(), SETTINGS, tmp_path)
    toy = new_toy()
    toy.decoder = torch.nn.Linear(3, 5)
    with pytest.raises(BadFile, match=r"decoder\.bias is \(4,\), Toy wants \(5,\)"):
        train(toy, ToySupply(), SETTINGS, tmp_path)


def test_an_unknown_phase_is_refused_and_the_known_ones_named(tmp_path):
    settings = replace(SETTINGS, phases={"expert": PHASES["experts"]})
    with pytest.raises(BadFile, match="no such phase; this model has experts, mixtures, refine"):
        train(new_toy(), ToySupply(), settings, tmp_path)
    with pytest.raises(BadFile, match="no phases"):
        train(new_toy(), ToySupply(), replace(SETTINGS, phases={}), tmp_path)


def test_a_supply_without_batches_or_with_too_few_is_named(tmp_path):
    class Short(ToySupply):
        def epoch(self, phase, epoch, start=0):
            yield from list(super().epoch(phase, epoch, start))[:2]

    with pytest.raises(BadCall, match="ended after 2 batches; it promised 5"):
        train(new_toy(), Short(), SETTINGS, tmp_path)
    empty = replace(SETTINGS, phases={"refine": PHASES["experts"]})
    with pytest.raises(BadCall, match="refine: an epoch has 0 batches"):
        train(new_toy(), ToySupply(), empty, tmp_path)


def test_two_trainings_do_not_work_in_one_folder(tmp_path):
    class Second(ToySupply):
        def epoch(self, phase, epoch, start=0):
            train(new_toy(), ToySupply(), SETTINGS, tmp_path)
            yield Batch(torch.zeros(1, 4))

    with pytest.raises(BadCall, match="another training is at work there"):
        train(new_toy(), Second(), SETTINGS, tmp_path)


def test_a_phase_in_which_nothing_is_trained_is_refused(tmp_path):
    class Frozen(Toy):
        def begin(self, phase):
            self.requires_grad_(False)

    with pytest.raises(BadCall, match="no parameter requires a gradient"):
        train(Frozen(), ToySupply(), SETTINGS, tmp_path)


def test_a_model_that_is_no_module_is_refused(tmp_path):
    class Bare:
        phases = ("experts",)

        def begin(self, phase): ...

        def loss(self, batch, generator): ...

        def end_epoch(self): ...

    settings = replace(SETTINGS, phases={"experts": PHASES["experts"]})
    with pytest.raises(BadCall, match=r"Bare: no torch\.nn\.Module"):
        train(Bare(), ToySupply(), settings, tmp_path)


def test_a_gpu_that_is_not_there_is_an_error_and_auto_does_without(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(BadCall, match="sees no GPU"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cpu") == torch.device("cpu")
