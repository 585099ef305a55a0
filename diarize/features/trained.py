"""Trained weights, from a file into a network; a file of anything else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from diarize.errors import BadFile

Network = TypeVar("Network", bound=nn.Module)


def load_trained(network: Network, path: Path, what: str) -> Network:
    """The same network with the weights at `path`, set to infer: no gradient, no batch statistics.

    The file holds a state dict, bare or under the key `state_dict`.

    Raises:
        BadFile: it is no file of weights, or of another network's; `what` says whose were wanted.
    """
    refused = f"{path}: not the weights of {what}"
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a reader of arbitrary bytes: ten kinds of error were seen
        kind = type(error).__name__
        raise BadFile(f"{refused}: PyTorch cannot read it as a state dict ({kind})") from error
    state = saved.get("state_dict", saved) if isinstance(saved, dict) else saved
    if not isinstance(state, dict):
        raise BadFile(f"{refused}: holds a {type(state).__name__}, not a state dict")
    wanted = network.state_dict()
    if missing := [name for name in wanted if name not in state]:
        found = f"{len(missing)} of {len(wanted)} tensors are missing, {missing[0]} the first"
        raise BadFile(f"{refused}: {found}")
    if strange := [name for name in state if name not in wanted]:
        raise BadFile(f"{refused}: {len(strange)} tensors too many, {strange[0]} the first")
    try:
        network.load_state_dict(state)
    except RuntimeError as error:  # names agree: a tensor has another shape
        found = " ".join(str(error).splitlines()[1].split())
        raise BadFile(f"{refused}: {found}") from error
    return network.eval().requires_grad_(False)
