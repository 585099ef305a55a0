"""What an MS-VAE is given, checked before it is used: each fault is told in one line."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diarize.errors import BadCall
from diarize.models.contract import Batch


def check_inputs(inputs: Tensor, n_values: int) -> None:
    """Check that `inputs` are [batch, `n_values`] finite numbers, of one datum or more.

    Raises:
        BadCall: they are not.
    """
    if inputs.ndim != 2 or inputs.shape[1] != n_values:
        raise BadCall(f"inputs of shape {tuple(inputs.shape)}; expected [batch, {n_values}]")
    if not len(inputs):
        raise BadCall("inputs of no datum; one or more would be right")
    if not bool(torch.isfinite(inputs).all()):
        raise BadCall("inputs with values that are not finite; leave those data out")


def check_size(module: nn.Module, n_batch: int) -> None:
    """Check that a batch of `n_batch` data is enough for the normalisations that learn.

    Raises:
        BadCall: it is not.
    """
    norms = (one for one in module.modules() if isinstance(one, nn.BatchNorm1d))
    if n_batch < 2 and any(one.training for one in norms):
        raise BadCall("a batch of one datum; the normalisations of a training want two or more")


def labels_of(batch: Batch, n_streams: int) -> Tensor:
    """The label of each datum, from 0 to `n_streams` - 1.

    Raises:
        BadCall: there are none, not one each, or some that name no stream.
    """
    labels = batch.labels
    if labels is None:
        raise BadCall("experts are trained on examples with labels; this batch has none")
    if labels.shape != (len(batch),):
        raise BadCall(f"labels of shape {tuple(labels.shape)}; expected {(len(batch),)}")
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= n_streams:
        found = least if least < 0 else most
        raise BadCall(f"label {found}; the streams are 0 to {n_streams - 1}")
    return labels.long()


def patterns_of(batch: Batch, n_streams: int) -> tuple[Tensor | None, Tensor]:
    """The patterns that are known, None if the batch has none, and of which mixtures (bool).

    Raises:
        BadCall: patterns of another shape, or with anything in them but 1, 0, and -1 for unknown.
    """
    patterns, shape = batch.patterns, (len(batch), n_streams)
    if patterns is None:
        return None, torch.zeros(shape[0], dtype=torch.bool, device=batch.inputs.device)
    if patterns.shape != shape:
        raise BadCall(f"patterns of shape {tuple(patterns.shape)}; expected {shape}")
    least, most = int(patterns.min()), int(patterns.max())
    if least < -1 or most > 1:
        found = least if least < -1 else most
        raise BadCall(f"{found} in a pattern; a stream is on (1), off (0), or unknown (-1)")
    return patterns.clamp(min=0).to(batch.inputs), (patterns >= 0).all(1)
