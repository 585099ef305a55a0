"""One step of a training: some batches, their gradient, and weights that are a little better."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from diarize.errors import DiarizeError
from diarize.models.contract import Losses, Trainable
from diarize.training.ranks import ALONE, Ranks
from diarize.training.settings import Precision
from diarize.training.shares import Share, SharedNoise
from diarize.training.shipped import as_module
from diarize.training.sums import Sums

_TOTAL = ""  # of losses, beside their parts' names


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


@dataclass(frozen=True)
class Manner:
    """How steps are taken.

    Attributes:
        clip_norm: the length to which a longer gradient is cut; 0 leaves all as they are.
        precision: of products of matrices: "bfloat16" is torch's autocast, which leaves the
            weights, sums, and what is touchy in float32; "auto" is that on a GPU which has it.
        ranks: those that take the step together.
    """

    clip_norm: float = 0.0
    precision: Precision = "float32"
    ranks: Ranks = ALONE


def update(
    model: Trainable,
    optimizer: torch.optim.Optimizer,
    shares: Sequence[Share],
    generator: torch.Generator,
    manner: Manner = Manner(),
) -> Update:
    """Take one step by the data of all shares, of all ranks: their gradient is the mean over them.

    A share counts by its rows, or by what else the model says that its loss is a mean over.

    Each share has its noise by `generator` as it was seeded.

    Raises:
        Diverged: the loss or its gradient is not finite; the weights are as they were.
    """
    optimizer.zero_grad(set_to_none=True)
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    sums = Sums(as_module(model), manner.ranks)
    tally, n_counted = Tally(), []
    for share in shares:
        losses = loss_of(model, share, generator, manner.precision)
        weight = share.weight
        if losses.n_counted is not None and not share.is_whole:
            weight = float(losses.n_counted)
            n_counted.append(weight)
        (losses.total if share.is_whole else losses.total * weight).backward()
        tally.add(losses, weight)
    _add_up(parameters, sums, manner.ranks)
    if n_counted:  # by all ranks, or by none: it is the model that counts
        _divide(parameters, manner.ranks.totals({"n_counted": sum(n_counted)})["n_counted"])
    norm = torch.nn.utils.get_total_norm([one.grad for one in parameters if one.grad is not None])
    made = tally.update(norm, manner.ranks)
    if not math.isfinite(made.loss + made.gradient_norm):
        parts = ", ".join(f"{name} {value:g}" for name, value in made.parts.items())
        raise Diverged(
            f"the loss is {made.loss:g}, its gradient's length {made.gradient_norm:g}"
            + (f" ({parts})" if parts else "")
        )
    if manner.clip_norm:
        torch.nn.utils.clip_grads_with_norm_(parameters, manner.clip_norm, norm)
    optimizer.step()
    return made


def loss_of(
    model: Trainable, share: Share, generator: torch.Generator, precision: Precision
) -> Losses:
    """What the data of a share cost, with their own of the noise that all data of the step have."""
    generator.manual_seed(generator.initial_seed())
    with SharedNoise(share, generator), _products_in(precision, share.batch.inputs.device):
        return model.loss(share.batch, generator)


def has_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are a GPU's own."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


class Tally:
    """What shares cost, kept on their device until all is asked for at once."""

    def __init__(self) -> None:
        self._values: list[torch.Tensor] = []
        self._names: list[str] = []
        self._weights: list[float] = []

    def add(self, losses: Losses, weight: float) -> None:
        """Take in what a share cost, which counts `weight` in the means."""
        for name, value in {_TOTAL: losses.total, **losses.parts}.items():
            self._names.append(name)
            self._values.append(value.detach().to(losses.total.device, torch.float64))
            self._weights.append(weight)

    def update(self, norm: torch.Tensor, ranks: Ranks) -> Update:
        """The means over the shares of all ranks; `norm` is that of the gradient.

        A part that not every share has is a mean over those that have it.
        """
        *values, length = torch.stack([*self._values, norm.to(self._values[0])]).tolist()
        sums: dict[str, float] = {}
        for name, value, weight in zip(self._names, values, self._weights, strict=True):
            sums[f"v{name}"] = sums.get(f"v{name}", 0.0) + weight * value
            sums[f"w{name}"] = sums.get(f"w{name}", 0.0) + weight
        sums = ranks.totals(sums)
        weights = {key[1:]: weight for key, weight in sums.items() if key[0] == "w" and weight}
        means = {name: sums[f"v{name}"] / weight for name, weight in weights.items()}
        return Update(means.pop(_TOTAL), length, means)


def _products_in(
    precision: Precision, device: torch.device
) -> contextlib.AbstractContextManager[None]:
    if precision == "bfloat16" or (precision == "auto" and has_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


@torch.no_grad()
def _divide(parameters: Sequence[torch.Tensor], number: float) -> None:
    """Divide gradients by a number, if it is not 0."""
    gradients = [one.grad for one in parameters if one.grad is not None]
    if number and gradients:
        torch._foreach_div_(gradients, number)


@torch.no_grad()
def _add_up(parameters: Sequence[torch.Tensor], sums: Sums, ranks: Ranks) -> None:
    """Give all ranks the gradient and the sums of all; what no rank has a gradient of has none."""
    if ranks.is_alone:
        return
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    has_one = torch.tensor([one.grad is not None for one in parameters], dtype=torch.float64)
    grown = sums.grown()
    ranks.add_up([*gradients, has_one, *grown.values()])
    for parameter, gradient, has in zip(parameters, gradients, has_one.tolist(), strict=True):
        parameter.grad = gradient if has else None
    sums.put(grown)
