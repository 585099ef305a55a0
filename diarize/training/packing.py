"""Trained weights made ready to ship: half precision, and a card that says where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diarize.errors import BadFile
from diarize.formats.text import save_text
from diarize.training.shipped import read_card
from diarize.training.tensors import read_tensors, save_tensors

MOST_BYTES = 12_000_000
HALF_RANGE = torch.finfo(torch.float16).max


def pack(path: Path, target: Path, about: Mapping[str, Any]) -> Path:
    """Write the weights of `path` to `target` in half precision, with a card; return the card.

    `target.json` has what the training wrote beside `path` (model, settings, seeds, commit, data),
    and `about`: licences, commands, scores, or another "model" table. Numbers that half precision
    cannot hold, sums in double precision among them, stay as they are.
    `diarize.training.shipped.load_model` reads it.

    Raises:
        BadFile: `path` is no trained weights, or what comes of it is over 12 MB.
    """
    card = {**read_card(path), **about}
    tensors = {name: _halved(tensor) for name, tensor in read_tensors(path).tensors.items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > MOST_BYTES:
        raise BadFile(
            f"{path}: {size / 1e6:.1f} MB in half precision; at most {MOST_BYTES / 1e6:.0f} MB ship"
        )
    checksum = save_tensors(target, tensors, {"model": card["model"]})
    beside = target.with_suffix(".json")
    text = json.dumps({**card, "checksum": checksum}, indent=2, ensure_ascii=False)
    save_text(beside, text + "\n")
    return beside


def _halved(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float32 or tensor.numel() == 1:
        return tensor
    return tensor if bool((tensor.abs() > HALF_RANGE).any()) else tensor.half()
