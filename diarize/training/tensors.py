"""Files of tensors with facts about them: written whole, and told apart from damaged ones."""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from diarize.errors import BadFile

_ABOUT = "about"


@dataclass(frozen=True)
class TensorFile:
    """What a file holds: tensors by name, facts as JSON has them, and the checksum of both."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    checksum: str


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    """Write a safetensors file, whole or not at all; return its checksum.

    Whoever kills this leaves the file that was there before, and one with the name `.NAME.part`
    that the next call writes over.

    Raises:
        BadFile: the folder or the disk does not allow it.
    """
    plain = _apart(tensors)
    told = json.dumps(facts, sort_keys=True, default=str)
    checksum = _checksum(plain, told)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # one word of metadata: safetensors writes several in an order of chance; and not to the
        # file by itself, for then it would leave files of unknown names when killed
        contents = save(plain, metadata={_ABOUT: f"{checksum} {told}"})
        with unfinished.open("wb") as written:
            written.write(contents)
            written.flush()
            os.fsync(written.fileno())
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise BadFile(
            f"{path}: cannot be written ({error.strerror}); "
            "name a place that is writable and has room"
        ) from None
    return checksum


def read_tensors(path: Path) -> TensorFile:
    """What `save_tensors` wrote to `path`, on the CPU.

    Raises:
        BadFile: it is not there, cut short, damaged, or not such a file.
    """
    try:
        with safe_open(path, framework="pt") as opened:
            about = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        checksum, _, told = about[_ABOUT].partition(" ")
        facts = json.loads(told)
    except FileNotFoundError:
        raise BadFile(f"{path}: no such file; a training writes it") from None
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror or error})") from None
    except KeyError:
        raise BadFile(f"{path}: does not say what it holds; wanted what a training wrote") from None
    except (SafetensorError, ValueError) as error:
        raise BadFile(f"{path}: damaged, or no safetensors file ({error})") from None
    if _checksum(tensors, told) != checksum:
        raise BadFile(f"{path}: damaged: its contents do not give its own checksum {checksum}")
    return TensorFile(tensors, facts, checksum)


def put_into(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give `module` the weights that were read from `path`.

    Raises:
        BadFile: they are of another model.
    """
    own = module.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        there = tuple(tensors[name].shape) if name in tensors else "missing"
        wanted = tuple(own[name].shape) if name in own else "none"
        if there != wanted:
            kind = type(module).__name__
            raise BadFile(f"{path}: of another model: {name} is {there}, {kind} wants {wanted}")
    module.load_state_dict(dict(tensors))


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, none sharing its memory with another, as safetensors wants them."""
    plain, seen = {}, set()
    for name, tensor in tensors.items():
        one = tensor.detach().cpu().contiguous()
        place = one.untyped_storage().data_ptr()
        plain[name] = one.clone() if place in seen else one
        seen.add(place)
    return plain


def _checksum(tensors: Mapping[str, Tensor], told: str) -> str:
    checksum = zlib.crc32(told.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        checksum = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), checksum)
        checksum = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, checksum)
    return f"{checksum:08x}"
