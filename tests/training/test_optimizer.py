"""Rates by hand, steps by hand, and the average of weights by hand."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from diarize.errors import BadCall, BadFile
from diarize.training.average import WeightAverage
from diarize.training.optimizer import (
    make_optimizer,
    optimizer_tensors,
    rate_at,
    restore_optimizer,
    set_rate,
)
from diarize.training.settings import PhaseSettings

HERE = Path("checkpoint.safetensors")


def one_weight(value=1.0):
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, value)
    return module


def test_a_constant_rate_stays():
    settings = PhaseSettings(rate=0.3)
    assert {rate_at(settings, epoch, step, 5) for epoch in range(3) for step in range(5)} == {0.3}


def test_a_step_schedule_falls_by_its_factor_an_epoch_to_the_lowest_rate():
    settings = PhaseSettings(rate=1e-4, schedule="step", step_factor=0.9998)
    assert rate_at(settings, 1, 4, 5) == pytest.approx(0.9998e-4)
    assert rate_at(settings, 101, 0, 5) == pytest.approx(1e-4 * 0.9998**101)
    assert rate_at(settings, 100_000, 0, 5) == 1e-5


def test_a_cosine_is_halfway_in_the_middle_and_lowest_in_the_end():
    settings = PhaseSettings(epochs=4, rate=0.5, schedule="cosine", lowest_rate=0.1)
    assert rate_at(settings, 0, 0, 10) == 0.5
    assert rate_at(settings, 2, 0, 10) == pytest.approx(0.3)
    assert 0.1 < rate_at(settings, 3, 9, 10) < 0.101


def test_a_lowest_rate_above_the_rate_does_not_raise_it():
    for schedule in ("cosine", "step"):
        settings = PhaseSettings(rate=1e-6, schedule=schedule, lowest_rate=1e-5)
        assert rate_at(settings, 5, 0, 10) == pytest.approx(1e-6)


def test_a_warm_up_grows_to_the_rate_over_its_steps():
    settings = PhaseSettings(rate=0.8, warmup_steps=4)
    rates = [rate_at(settings, step // 3, step % 3, 3) for step in range(6)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_the_first_step_of_adam_is_as_long_as_the_rate():
    module = one_weight()
    optimizer = make_optimizer(module, PhaseSettings(rate=0.1))
    set_rate(optimizer, 0.01)
    module.weight.grad = torch.tensor([[5.0]])
    optimizer.step()
    assert module.weight.item() == pytest.approx(0.99)


def test_the_weights_of_adamw_decay_apart_from_the_gradient():
    module = one_weight()
    optimizer = make_optimizer(module, PhaseSettings(rate=0.1, optimizer="adamw", weight_decay=0.5))
    module.weight.grad = torch.zeros(1, 1)
    optimizer.step()
    assert module.weight.item() == pytest.approx(0.95)  # 1 - 0.1 x 0.5


def test_only_what_requires_a_gradient_is_trained_and_something_has_to():
    module = nn.Sequential(one_weight(), one_weight())
    module[0].requires_grad_(False)
    optimizer = make_optimizer(module, PhaseSettings())
    assert [one is module[1].weight for one in optimizer.param_groups[0]["params"]] == [True]
    with pytest.raises(BadCall, match="Sequential: no parameter requires a gradient"):
        make_optimizer(module.requires_grad_(False), PhaseSettings())


def test_the_state_goes_by_the_names_of_parameters_and_comes_back():
    module = nn.Sequential(one_weight(), one_weight())
    module[0].requires_grad_(False)
    optimizer = make_optimizer(module, PhaseSettings())
    module[1].weight.grad = torch.tensor([[2.0]])
    optimizer.step()
    tensors = optimizer_tensors(optimizer, module)
    assert tensors.keys() == {f"1.weight/{key}" for key in ("step", "exp_avg", "exp_avg_sq")}
    assert tensors["1.weight/exp_avg"].item() == pytest.approx(0.2)  # (1 - .9) x 2
    other = make_optimizer(module, PhaseSettings())
    restore_optimizer(other, module, tensors, HERE)
    assert other.state_dict()["state"].keys() == {0}
    module[0].requires_grad_(True)
    module[1].requires_grad_(False)
    with pytest.raises(BadFile, match=r"state of 1\.weight, which is not trained now"):
        restore_optimizer(make_optimizer(module, PhaseSettings()), module, tensors, HERE)


def test_an_average_forgets_fast_at_first_and_then_by_its_decay():
    module = one_weight(1.0)
    average = WeightAverage(module, 0.15)
    nn.init.constant_(module.weight, 2.0)
    average.update()  # decay 1/10: 0.1 x 1 + 0.9 x 2
    assert average.state_dict()["weight"].item() == pytest.approx(1.9)
    average.update()  # 2/11 is more than the decay .15
    assert average.state_dict()["weight"].item() == pytest.approx(0.15 * 1.9 + 0.85 * 2)
    assert module.weight.item() == 2


def test_an_average_has_frozen_weights_and_buffers_as_the_model_has_them():
    module = nn.BatchNorm1d(1)
    module.bias.requires_grad_(False)
    average = WeightAverage(module, 0.9)
    with torch.no_grad():
        for tensor in (module.weight, module.bias, module.running_mean):
            tensor.fill_(7.0)
    average.update()
    found = average.state_dict()
    assert (found["bias"].item(), found["running_mean"].item()) == (7, 7)
    assert 1 < found["weight"].item() < 7
    assert average.tensors().keys() == {"weight"}


def test_weights_with_two_names_are_averaged_under_both():
    module = nn.ModuleList([one_weight(1.0)])
    module.append(module[0])
    average = WeightAverage(module, 0.9)
    nn.init.constant_(module[0].weight, 2.0)
    average.update()
    assert [tensor.item() for tensor in average.state_dict().values()] == pytest.approx([1.9, 1.9])


def test_an_average_of_other_weights_is_refused_and_none_is_kept_when_it_is_off():
    module = one_weight()
    off = WeightAverage(module, 0.0)
    off.update()
    assert off.tensors() == {}
    assert math.isclose(off.state_dict()["weight"].item(), 1.0)
    with pytest.raises(BadFile, match=r"checkpoint\.safetensors: has averages of other weights"):
        WeightAverage(module, 0.9).restore({"bias": torch.ones(1)}, 1, HERE)
