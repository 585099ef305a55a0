"""One step of a training: a batch, its gradient, and weights that are a little better."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from diarize.errors import DiarizeError
from diarize.models.contract import Batch, Losses, Trainable


class Diverged(DiarizeError):
    """A loss, or its gradient, that is not a finite number."""


@dataclass(frozen=True)
class Update:
    """What a step cost, in the units of the model's losses, and how long its gradient was."""

    loss: float
    gradient_norm: float
    parts: Mapping[str, float]


def step_seed(seed: int, phase: str, epoch: int, step: int) -> int:
    """The seed of the noise of one step: the same whatever was drawn before.

    >>> step_seed(0, "experts", 0, 0) == step_seed(0, "experts", 0, 1)
    False
    """
    told = json.dumps([seed, phase, epoch, step]).encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:4], "big")  # torch's CPU takes 32 bits


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`, with all that is known of it."""
    tensors = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    there = {name: one.to(device) for name, one in tensors.items() if one is not None}
    return dataclasses.replace(batch, **there)


def update(
    model: Trainable,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    generator: torch.Generator,
    clip_norm: float = 0.0,
) -> Update:
    """Take one step; the gradient is cut to the length `clip_norm` if that is not 0.

    Raises:
        Diverged: the loss or its gradient is not finite; the weights are as they were.
    """
    optimizer.zero_grad(set_to_none=True)
    losses = model.loss(batch, generator)
    losses.total.backward()
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    norm = torch.nn.utils.get_total_norm([one.grad for one in parameters if one.grad is not None])
    made = _numbers(losses, norm)
    if not math.isfinite(made.loss + made.gradient_norm):
        parts = ", ".join(f"{name} {value:g}" for name, value in made.parts.items())
        raise Diverged(
            f"the loss is {made.loss:g}, its gradient's length {made.gradient_norm:g}"
            + (f" ({parts})" if parts else "")
        )
    if clip_norm:
        torch.nn.utils.clip_grads_with_norm_(parameters, clip_norm, norm)
    optimizer.step()
    return made


def _numbers(losses: Losses, norm: torch.Tensor) -> Update:
    """All numbers of a step, taken from a GPU at once."""
    together = [losses.total, norm, *losses.parts.values()]
    where = losses.total.device
    values = torch.stack([one.detach().to(where, torch.float64) for one in together]).tolist()
    return Update(values[0], values[1], dict(zip(losses.parts, values[2:], strict=True)))
