"""Which first stage a second one stands on: its hash, and weights taken from a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diarize.errors import BadFile

N_BYTES = 8
NONE = bytes(N_BYTES)


def hash_of(*modules: nn.Module) -> bytes:
    """What the weights of a first stage come to: the first bytes of their sha256."""
    digest = hashlib.sha256()
    for module in modules:
        for name, value in sorted(module.state_dict().items()):
            array = value.detach().cpu().contiguous()
            digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
            digest.update(array.view(torch.uint8).numpy().tobytes() if array.numel() else b"")
    return digest.digest()[:N_BYTES]


def as_bytes(stored: Tensor) -> bytes:
    """A hash as a buffer holds it."""
    return bytes(stored.cpu().tolist())


def check_same(wanted: str, found: str, where: str) -> None:
    """Nothing, if both hashes are the same.

    Raises:
        BadFile: they are not; the message names both.
    """
    if wanted != found:
        raise BadFile(
            f"{where}: the second stage is of stage one {wanted}, and the autoencoder here is "
            f"{found}; train the second stage over this one, or give it its own"
        )


def take_weights(path: Path, modules: dict[str, nn.Module]) -> None:
    """Give the modules of a first stage their weights from a trained model's file.

    Raises:
        BadFile: there is no such file, or it is of another model.
    """
    try:
        found = load_file(path)
    except FileNotFoundError:
        raise BadFile(f"{path}: no such file; train the first stage (keep_phases = true)") from None
    except (OSError, SafetensorError) as error:
        raise BadFile(f"{path}: not a whole file of weights ({error})") from None
    for prefix, module in modules.items():
        own = module.state_dict()
        for name, value in own.items():
            there = found.get(f"{prefix}.{name}")
            shape = "missing" if there is None else tuple(there.shape)
            if shape != tuple(value.shape):
                raise BadFile(
                    f"{path}: of another model: {prefix}.{name} is {shape}, "
                    f"{tuple(value.shape)} is wanted"
                )
        module.load_state_dict({name: found[f"{prefix}.{name}"] for name in own})
