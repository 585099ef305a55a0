"""Weights that ship: a file of tensors, and a JSON file that says what they are of."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import diarize
from diarize import models
from diarize.errors import BadCall, BadFile
from diarize.formats.text import read_text, save_text
from diarize.models.contract import Trainable
from diarize.training.tensors import put_into, read_tensors, save_tensors


def as_module(model: Trainable) -> nn.Module:
    """The model as the `torch.nn.Module` it has to be.

    Raises:
        BadCall: it is none.
    """
    if not isinstance(model, nn.Module):
        raise BadCall(f"{type(model).__name__}: no torch.nn.Module; only those can be trained")
    return model


def new_model(name: str, settings: Mapping[str, Any], where: str, seed: int) -> Trainable:
    """The model called `name` with first weights that depend on `seed` alone.

    `where` names the file and table of `settings` in messages. Torch's own chance is left as it is.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.make_model(name, settings, where)


def describe(model: Trainable) -> dict[str, Any]:
    """What rebuilds the model: its name in MODELS and its settings, as JSON has them."""
    kind = type(model)
    place = f"{kind.__module__}:{kind.__qualname__}"
    name = next((name for name, known in models.MODELS.items() if known == place), place)
    settings = getattr(model, "settings", None)
    table = dataclasses.asdict(settings) if dataclasses.is_dataclass(settings) else {}  # type: ignore[arg-type]
    return {"name": name, "settings": plain(table)}


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON has them, without what is None: none is said by leaving out."""
    found: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return _without_none(found)


def ship(path: Path, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write `weights` to `path` and, last, the facts beside it, with what made them."""
    checksum = save_tensors(path, weights, {"model": facts["model"]})
    made = {"package": diarize.__version__, "torch": torch.__version__, "commit": commit()}
    card = {**facts, **_without_none(made), "checksum": checksum}
    save_text(path.with_suffix(".json"), json.dumps(card, indent=2, default=str) + "\n")


def load_model(path: Path | str) -> Trainable:
    """The model whose weights `path` holds, rebuilt from the JSON file beside it, on the CPU.

    It is in eval mode, with no gradients wanted: ready for use. Training it calls `begin` first.

    Raises:
        BadFile: one of the two is missing, damaged, or not of the other.
    """
    path = Path(path)
    card = read_card(path)
    read = read_tensors(path)
    beside = path.with_suffix(".json")
    if read.checksum != card["checksum"]:
        raise BadFile(f"{beside}: is of other weights than those in {path.name}; copy both anew")
    model = new_model(card["model"]["name"], card["model"]["settings"], f"{beside} model", 0)
    module = as_module(model)
    put_into(module, read.tensors, path)
    module.eval().requires_grad_(False)
    return model


def begin_from(model: Trainable, path: Path, parts: Sequence[str] = ()) -> dict[str, Any]:
    """Give `model` the weights at `path` to begin a training with; what to say of them.

    Args:
        parts: the modules of `model` that begin with them, as "encoder" or "decoder.over_time";
            empty: all of it.

    Raises:
        BadFile: they are missing, damaged, or of a model with other weights; or no such part is.
    """
    card, read = read_card(path), read_tensors(path)
    module = as_module(model)
    if not parts:
        put_into(module, read.tensors, path)
    for part in parts:
        try:
            one = module.get_submodule(part)
        except AttributeError:
            known = ", ".join(name for name, _ in module.named_children())
            raise BadFile(f"start_parts: no part {part!r}; of the model are: {known}") from None
        head = f"{part}."
        own = {name[len(head) :]: value for name, value in read.tensors.items()
               if name.startswith(head)}  # fmt: skip
        put_into(one, own, path)
    said = {"file": path.name, "checksum": read.checksum}
    if "commit" in card:
        said["commit"] = card["commit"]
    return said | ({"parts": list(parts)} if parts else {})


def read_card(path: Path) -> dict[str, Any]:
    """What the JSON file beside the weights `path` says.

    Raises:
        BadFile: there is none, or it does not say what the weights are of.
    """
    beside = path.with_suffix(".json")
    try:
        card: dict[str, Any] = json.loads(read_text(beside))
        if {"name", "settings"} <= card["model"].keys() and card["checksum"]:
            return card
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadFile):
            raise
    raise BadFile(f"{beside}: does not say what model {path.name} is of; wanted what train wrote")


def commit() -> str | None:
    """The commit of the checkout this package runs from, "-dirty" if changed; None outside one."""
    root = Path(diarize.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _without_none(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in facts.items()
        if value is not None
    }
