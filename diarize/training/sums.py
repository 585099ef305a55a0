"""Sums that a model keeps over an epoch, added up over the ranks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diarize.training.norms import batch_norms
from diarize.training.ranks import Ranks

SUMMED = (torch.float64, torch.int64, torch.int32)


class Sums:
    """What a model's buffers of sums were before a step, so that each rank's share can be added.

    A buffer of float64 or whole numbers that `loss` changes is a sum over data: whatever it grew by
    on each rank is added. Those of normalisations are not: all ranks move them alike.
    """

    def __init__(self, module: nn.Module, ranks: Ranks) -> None:
        self.module, self.ranks = module, ranks
        self._before = {} if ranks.is_alone else {n: b.clone() for n, b in self._buffers().items()}

    def grown(self) -> dict[str, Tensor]:
        """By how much each has grown since, in float64."""
        now = self._buffers()
        return {name: now[name].double() - one.double() for name, one in self._before.items()}

    @torch.no_grad()
    def put(self, grown: dict[str, Tensor]) -> None:
        """Let each have grown by so much."""
        now = self._buffers()
        for name, more in grown.items():
            before = self._before[name]
            now[name].copy_((before.double() + more).to(before.dtype))

    def _buffers(self) -> dict[str, Tensor]:
        norms = batch_norms(self.module)
        return {
            name: one
            for name, one in self.module.named_buffers()
            if one.dtype in SUMMED and name.rpartition(".")[0] not in norms
        }
