"""What turns gradients into steps, how long the steps are, and its state as named tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from diarize.errors import BadCall, BadFile
from diarize.training.settings import PhaseSettings

KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def trained_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of `module` that require gradients, by name."""
    return {name: one for name, one in module.named_parameters() if one.requires_grad}


def make_optimizer(module: nn.Module, settings: PhaseSettings) -> torch.optim.Optimizer:
    """A new optimizer over what is to be trained of `module`.

    Raises:
        BadCall: nothing is.
    """
    parameters = list(trained_parameters(module).values())
    if not parameters:
        raise BadCall(f"{type(module).__name__}: no parameter requires a gradient in this phase")
    return KINDS[settings.optimizer](  # fused is 6 times faster than the plain one on a CPU
        parameters, lr=settings.rate, weight_decay=settings.weight_decay, fused=True
    )


def rate_at(settings: PhaseSettings, epoch: int, step: int, n_batches: int) -> float:
    """The rate of learning in step `step` of epoch `epoch`, both from 0, of `n_batches` each.

    Source: arXiv 2510.15669, its code: the rate is multiplied by .9998 after each epoch that began
    at 1e-5 or more. Here it is never below `lowest_rate`; there it may be by one factor.

    >>> falling = PhaseSettings(rate=0.1, schedule="step", step_factor=0.5, lowest_rate=0.03)
    >>> [rate_at(falling, epoch, 0, 7) for epoch in range(4)]
    [0.1, 0.05, 0.03, 0.03]
    """
    rate = settings.rate
    lowest = min(settings.lowest_rate, rate)
    done = epoch * n_batches + step
    if settings.schedule == "step":
        rate = max(rate * settings.step_factor**epoch, lowest)
    elif settings.schedule == "cosine":
        share = done / (settings.epochs * n_batches)
        rate = lowest + (rate - lowest) * (1 + math.cos(math.pi * share)) / 2
    if done < settings.warmup_steps:
        rate *= (done + 1) / settings.warmup_steps
    return rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Take the next steps at this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_tensors(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """The state of the optimizer of `module`, by the parameter's name and what is kept of it."""
    state = optimizer.state_dict()["state"]
    return {
        f"{name}/{key}": value
        for number, name in enumerate(trained_parameters(module))
        for key, value in state.get(number, {}).items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, module: nn.Module, tensors: Mapping[str, Tensor], path: Path
) -> None:
    """Put back what `optimizer_tensors` gave, read from `path`.

    Raises:
        BadFile: it is of other parameters.
    """
    parameters = trained_parameters(module)
    numbers = {name: number for number, name in enumerate(parameters)}
    state: dict[int, dict[str, Tensor]] = {}
    for place, value in tensors.items():
        name, _, key = place.rpartition("/")
        if name not in numbers:
            raise BadFile(f"{path}: has the optimizer's state of {name}, which is not trained now")
        state.setdefault(numbers[name], {})[key] = _laid_out_as(parameters[name], value)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy of `value` with its numbers in memory in the order of those of `parameter`.

    Fused steps go through both side by side and do not look: weights of convolutions may have
    their channels last, and what is read from a file never has.
    """
    like = parameter if value.shape == parameter.shape else value
    return torch.empty_like(like, dtype=value.dtype, device=value.device).copy_(value)
