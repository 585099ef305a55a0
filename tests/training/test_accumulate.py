"""Several batches to a step: the curve of batches as many times as large."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from toy import SETTINGS, Toy

from diarize.corpora.batch import Batch
from diarize.errors import BadCall
from diarize.models.contract import Losses
from diarize.training.loop import train
from diarize.training.settings import PhaseSettings
from diarize.training.shares import shares_of
from diarize.training.update import Manner, update

RATE = PhaseSettings(epochs=3, rate=0.02, schedule="cosine", warmup_steps=3, clip_norm=1.0)
SMALL = replace(SETTINGS, phases={"experts": replace(RATE, accumulate=3)}, journal_every=1)
LARGE = replace(SETTINGS, phases={"experts": RATE}, journal_every=1)


class Plain(Toy):
    """The toy without a normalisation, which would see each batch by itself."""

    def __init__(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            super().__init__()
            self.encoder = nn.Linear(4, 3)


Plain.__module__, Plain.__qualname__ = "toy", "Toy"


class Rows:
    """Forty rows an epoch, in batches of so many."""

    def __init__(self, size, stop=None):
        self.size, self.stop = size, stop

    def n_batches(self, phase):
        return -(-40 // self.size)

    def epoch(self, phase, epoch, start=0):
        rows = torch.rand(40, 4, generator=torch.Generator().manual_seed(epoch))
        for step, batch in enumerate(rows.split(self.size)[start:], start):
            if self.stop == (epoch, step):
                raise KeyboardInterrupt
            yield Batch(batch)


def rows(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [{key: one for key, one in line.items() if key != "seconds"} for line in lines]


def test_three_batches_to_a_step_have_the_curve_of_batches_three_times_as_large(tmp_path):
    small = train(Plain(), Rows(4), SMALL, tmp_path / "small")
    large = train(Plain(), Rows(12), LARGE, tmp_path / "large")
    assert small.steps == large.steps == 3 * 4  # of 12, 12, 12, and the 4 that are left
    one, other = rows(tmp_path / "small"), rows(tmp_path / "large")
    for line, wanted in zip(one, other, strict=True):
        for key, number in wanted.items():
            is_number = isinstance(number, float)
            assert line[key] == (pytest.approx(number, rel=1e-5) if is_number else number), key
    for name, tensor in load_file(large.path).items():
        torch.testing.assert_close(load_file(small.path)[name], tensor)


def test_stopped_between_two_batches_of_a_step_it_goes_on_to_the_same_bits(tmp_path):
    often = replace(SMALL, checkpoint_every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(Plain(), Rows(4, stop=(1, 7)), often, tmp_path / "stopped")
    for name in ("stopped", "whole"):
        train(Plain(), Rows(4), often, tmp_path / name)
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    stopped, whole = (load_file(tmp_path / n / "model.safetensors") for n in ("stopped", "whole"))
    assert all(torch.equal(stopped[name], tensor) for name, tensor in whole.items())


def test_a_supply_that_ends_in_the_middle_of_a_step_is_named(tmp_path):
    class Short(Rows):
        def n_batches(self, phase):
            return 12

    with pytest.raises(BadCall, match="the supply ended after 10 batches; it promised 12"):
        train(Plain(), Short(4), SMALL, tmp_path)


class Mean(nn.Module):
    """Costs its weight times the mean of the batch."""

    phases = ("only",)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def begin(self, phase): ...

    def end_epoch(self): ...

    def loss(self, batch, generator):
        return Losses(self.weight * batch.inputs.mean(), {"mean": batch.inputs.mean()})


def test_batches_count_by_their_data():
    model = Mean()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    batches = [Batch(torch.tensor([[8.0]])), Batch(torch.tensor([[0.0], [1.0], [2.0]]))]
    made = update(model, optimizer, shares_of(batches), torch.Generator(), Manner())
    assert (made.loss, made.gradient_norm, made.parts) == (2.75, 2.75, {"mean": 2.75})
    assert model.weight.item() == 1 - 2.75


class Masked(Mean):
    """Costs its weight times the mean of what is above 0, of which it tells how many there are."""

    def loss(self, batch, generator):
        some = batch.inputs[batch.inputs > 0]
        return Losses(self.weight * some.mean(), n_counted=torch.tensor(len(some)))


def test_batches_count_by_what_a_loss_says_that_it_is_a_mean_over():
    model = Masked()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    batches = [
        Batch(torch.tensor([[8.0], [-5.0], [-1.0]])),
        Batch(torch.tensor([[1.0], [2.0], [6.0]])),
    ]
    made = update(model, optimizer, shares_of(batches), torch.Generator(), Manner())
    assert (made.loss, made.gradient_norm) == (4.25, 4.25)  # of 8, 1, 2 and 6
    alone = update(model, optimizer, shares_of(batches[1:]), torch.Generator(), Manner())
    assert alone.gradient_norm == 3.0
