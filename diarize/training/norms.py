"""Batch normalisations whose mean and variance are those of the data of all ranks."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from diarize.training.ranks import Ranks


def batch_norms(module: nn.Module) -> dict[str, _BatchNorm]:
    """All that normalise by the statistics of a batch, by name."""
    return {name: one for name, one in module.named_modules() if isinstance(one, _BatchNorm)}


@contextlib.contextmanager
def shared_norms(module: nn.Module, ranks: Ranks) -> Iterator[None]:
    """In the block, each normalisation that learns sees the data of all ranks as one batch.

    Its running statistics are then the same on all ranks. Torch's own, SyncBatchNorm, is for GPUs
    alone; this is for all.
    """
    norms = [] if ranks.is_alone else list(batch_norms(module).values())
    for norm in norms:
        norm.forward = functools.partial(_forward, norm, ranks)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _forward(norm: _BatchNorm, ranks: Ranks, inputs: Tensor) -> Tensor:
    if not norm.training:
        return type(norm).forward(norm, inputs)
    norm._check_input_dim(inputs)
    axes = [axis for axis in range(inputs.ndim) if axis != 1]
    values = inputs.float()
    own_mean = values.mean(axes)
    own_squares = (values - _beside(own_mean, inputs)).square().sum(axes)
    n_own = inputs.numel() // inputs.shape[1]
    row = torch.cat([values.new_tensor([float(n_own)]), own_mean, own_squares])
    table = values.new_zeros(ranks.number, len(row)).index_put(
        (torch.tensor([ranks.rank], device=row.device),), row[None]
    )
    table = _SumOverRanks.apply(table, ranks)
    count = table[:, :1].detach()
    means, squares = table[:, 1:].chunk(2, dim=1)
    n_all = count.sum()
    mean = (count * means).sum(0) / n_all
    # Chan, Golub and LeVeque (1983): what groups deviate by, from what each has by itself
    variance = (squares.sum(0) + (count * (means - mean).square()).sum(0)) / n_all
    _remember(norm, mean.detach(), variance.detach() * n_all / (n_all - 1))
    scale = (variance + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight
    outputs = (values - _beside(mean, inputs)) * _beside(scale, inputs)
    if norm.affine:
        outputs = outputs + _beside(norm.bias, inputs)
    return outputs.to(inputs.dtype)


def _beside(values: Tensor, inputs: Tensor) -> Tensor:
    """Numbers a channel, to be computed with along `inputs`."""
    return values.view(-1, *(1 for _ in range(inputs.ndim - 2)))


@torch.no_grad()
def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics on, as torch does."""
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = norm.momentum
    if share is None:
        share = 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_(variance.to(norm.running_var), share)


class _SumOverRanks(torch.autograd.Function):
    """The sum over ranks, and its gradient, to which each rank's loss adds."""

    @staticmethod
    def forward(context: Any, values: Tensor, ranks: Ranks) -> Tensor:
        context.ranks = ranks
        found = values.clone()
        ranks.add_up([found])
        return found

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        found = gradient.clone()
        context.ranks.add_up([found])
        return found, None
