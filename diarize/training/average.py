"""A running average of the weights: smoother than the last ones, and what ships if it is on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from diarize.errors import BadFile
from diarize.training.optimizer import trained_parameters


class WeightAverage:
    """The average over a phase of what is trained in it; all else is as it is in the model.

    It begins anew with each phase, so that what a later phase keeps frozen is, in the average,
    just what the rest was trained beside. Early on it forgets faster: after `n` steps the decay is
    at most (1 + n) / (10 + n), lest the first weights stay in it for long.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = module
        self.decay = decay
        self.n_steps = 0
        self._weights = (
            {name: one.detach().clone() for name, one in trained_parameters(module).items()}
            if decay
            else {}
        )

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step."""
        if not self._weights:
            return
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        latest = trained_parameters(self.module)
        torch._foreach_lerp_(
            list(self._weights.values()), [latest[name].data for name in self._weights], 1 - decay
        )
        self.n_steps += 1

    def tensors(self) -> dict[str, Tensor]:
        """The averages, by the parameter's name; none if averaging is off."""
        return dict(self._weights)

    def restore(self, tensors: Mapping[str, Tensor], n_steps: int, path: Path) -> None:
        """Put back what `tensors` gave, read from `path`, after `n_steps` updates.

        Raises:
            BadFile: it is of other parameters.
        """
        if other := sorted(tensors.keys() ^ self._weights.keys()):
            raise BadFile(
                f"{path}: has averages of other weights than are trained now ({other[0]})"
            )
        self.n_steps = n_steps
        for name, value in tensors.items():
            self._weights[name].copy_(value)

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Let the averages be those of `weights`, a `state_dict` that this gave before."""
        for name, average in self._weights.items():
            average.copy_(weights[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The model's `state_dict` with the averages in place of what was averaged."""
        parameters = dict(self.module.named_parameters())
        averages = {id(parameters[name]): average for name, average in self._weights.items()}
        every_name = self.module.named_parameters(remove_duplicate=False)  # shared ones have two
        found = {name: averages[id(one)] for name, one in every_name if id(one) in averages}
        return self.module.state_dict() | found
