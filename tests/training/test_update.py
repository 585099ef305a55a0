"""One step, by hand; and signals that wait for it."""

import dataclasses
import signal
import threading

import pytest
import torch
from torch import nn

from diarize.corpora.batch import Batch
from diarize.models.contract import Losses
from diarize.training.interrupt import held_signals
from diarize.training.optimizer import make_optimizer
from diarize.training.settings import PhaseSettings
from diarize.training.shares import moved, shares_of
from diarize.training.update import Diverged, Manner, step_seed, update


class Slope(nn.Module):
    """Costs three times its weight, plus the first of its inputs."""

    phases = ("only",)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.unused = nn.Parameter(torch.ones(1))

    def begin(self, phase): ...

    def end_epoch(self): ...

    def loss(self, batch, generator):
        slope = 3 * self.weight[0] + 4 * self.weight[1]
        return Losses(slope + batch.inputs[0, 0], {"slope": slope.detach()})


def one_step(first_input=0.0, clip_norm=0.0):
    slope = Slope()
    slope.optimizer = torch.optim.SGD(slope.parameters(), lr=0.1)
    batch = Batch(torch.tensor([[first_input]]))
    manner = Manner(clip_norm)
    return slope, update(slope, slope.optimizer, shares_of([batch]), torch.Generator(), manner)


def test_a_step_tells_loss_parts_and_the_length_of_the_gradient():
    slope, made = one_step(2.0)
    assert (made.loss, made.parts, made.gradient_norm) == (9.0, {"slope": 7.0}, 5.0)
    assert slope.weight.tolist() == pytest.approx([1 - 0.3, 1 - 0.4])
    assert slope.unused.item() == 1


def test_a_long_gradient_is_cut_and_a_short_one_is_not():
    assert one_step(clip_norm=1.0)[0].weight.tolist() == pytest.approx([0.94, 0.92])
    assert one_step(clip_norm=9.0)[0].weight.tolist() == pytest.approx([0.7, 0.6])
    assert one_step(clip_norm=1.0)[1].gradient_norm == 5.0  # as it was


def test_a_loss_that_is_not_a_number_takes_no_step():
    slope = Slope()
    optimizer = make_optimizer(slope, PhaseSettings())
    batch = Batch(torch.tensor([[float("nan")]]))
    with pytest.raises(Diverged, match=r"the loss is nan, its gradient's length 5 \(slope 7\)"):
        update(slope, optimizer, shares_of([batch]), torch.Generator())
    assert slope.weight.tolist() == [1, 1]


def test_each_step_has_its_seed_and_the_same_one_again():
    seeds = {
        step_seed(seed, phase, epoch, step)
        for seed in (0, 1)
        for phase in ("experts", "mixtures")
        for epoch in range(3)
        for step in range(9)
    }
    assert len(seeds) == 2 * 2 * 3 * 9
    assert step_seed(0, "experts", 0, 0) in seeds


def test_all_that_a_batch_has_moves_and_nothing_is_left_behind():
    full = {
        "inputs": torch.zeros(2, 1),
        "labels": torch.tensor([3, 4]),
        "patterns": torch.tensor([[1, 0, 0], [-1, -1, -1]]),
    }
    assert full.keys() == {field.name for field in dataclasses.fields(Batch)}
    meta = moved(Batch(**full), torch.device("meta"))
    assert {getattr(meta, name).device.type for name in full} == {"meta"}
    same = moved(Batch(**full), torch.device("cpu"))
    assert all(torch.equal(getattr(same, name), one) for name, one in full.items())
    assert moved(Batch(torch.zeros(2, 1)), torch.device("cpu")).patterns is None


@pytest.fixture
def stops():
    """The signals that came through, while SIGTERM is ours."""
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGTERM, before)


def test_a_signal_waits_until_it_is_let_go(stops):
    with held_signals() as held:
        signal.raise_signal(signal.SIGTERM)
        assert (held.pending, stops) == (signal.SIGTERM, [])
        held.let_go()
        assert (held.pending, stops) == (None, [signal.SIGTERM])
    assert stops == [signal.SIGTERM]


def test_a_second_signal_does_not_wait(stops):
    with held_signals():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stops == [signal.SIGTERM]


def test_a_signal_nobody_asked_for_comes_through_in_the_end(stops):
    with held_signals():
        signal.raise_signal(signal.SIGTERM)
    assert stops == [signal.SIGTERM]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with held_signals() as held:
            signal.raise_signal(signal.SIGTERM)
            assert held.pending is None
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_signals_are_left_alone():
    found = []

    def look():
        with held_signals():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]
