"""Where a training stands: one file that is all it needs to go on to the same numbers."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from diarize.errors import BadFile
from diarize.training.tensors import read_tensors, save_tensors

CHECKPOINT = "checkpoint.safetensors"
LEFT = (
    CHECKPOINT,
    "journal.jsonl",
    "model.safetensors",
    "model.json",
    "after_*.safetensors",
    "after_*.json",
    ".*.safetensors.part",
)
GROUPS = ("model", "average", "optimizer", "best")
_SHOWN = 3  # differences that a message tells of


@dataclass(frozen=True)
class Position:
    """How far a training has come.

    Attributes:
        phase: which is under way, or was the last to end.
        epoch: the next one of the phase to be worked on, from 0; as many as it has: it has ended.
        step: the next one of that epoch, from 0.
        steps: how many were done in all phases.
        seconds: the time they took, without that between being stopped and going on.
        stopped: whether the phase has ended before its last epoch, out of patience.
    """

    phase: str
    epoch: int = 0
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    stopped: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """A training at one moment.

    Attributes:
        identity: all that decides its numbers; one with another identity is another training.
        journal: what the journal must know to go on.
        model: its `state_dict`.
        average: the averages of what is trained; none if that is off.
        optimizer: its state; none at the end of a phase.
        best: the weights as they were when development data cost least; none without patience.
        watch: when that was.
    """

    position: Position
    identity: Mapping[str, Any]
    journal: Mapping[str, Any]
    model: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    best: Mapping[str, Tensor] = field(default_factory=dict)
    watch: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint in `folder`; the one before stays until this one is whole."""
    tensors = {
        f"{group}/{name}": tensor
        for group in GROUPS
        for name, tensor in getattr(checkpoint, group).items()
    }
    facts = {
        "position": dataclasses.asdict(checkpoint.position),
        "identity": checkpoint.identity,
        "journal": checkpoint.journal,
        "watch": checkpoint.watch,
    }
    save_tensors(folder / CHECKPOINT, tensors, facts)


def read_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint in `folder`, or None if there is none yet.

    Raises:
        BadFile: it is damaged, or of a training with another identity.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    read = read_tensors(path)
    if not {"position", "identity", "journal"} <= read.facts.keys():
        raise BadFile(f"{path}: holds weights, but is no checkpoint; name another folder")
    if differing := differences(read.facts["identity"], identity):
        more = len(differing) - _SHOWN
        told = "; ".join(differing[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise BadFile(
            f"{path}: is of another training ({told}); "
            "train with its settings, in another folder, or afresh"
        )
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in GROUPS}
    for place, tensor in read.tensors.items():
        group, _, name = place.partition("/")
        groups[group][name] = tensor
    facts = read.facts
    return Checkpoint(
        Position(**facts["position"]),
        facts["identity"],
        facts["journal"],
        watch=facts.get("watch", {}),  # not told by versions that watched nothing
        **groups,
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two sets of facts, in words, by the names of the facts.

    >>> differences({"model": {"width": 9, "depth": 2}}, {"model": {"width": 8, "depth": 2}})
    ['model.width was 9, is 8']
    """
    old, new = _flat(before), _flat(now)
    return [
        f"{name} was {old.get(name, 'not there')}, is {new.get(name, 'not there')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def forget(folder: Path) -> None:
    """Remove what a training left in `folder`, so that the next begins afresh."""
    for pattern in LEFT:
        for path in folder.glob(pattern):
            path.unlink()
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Facts as JSON, by their names with dots between."""
    flat: dict[str, str] = {}
    for key, value in facts.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value, default=str)
    return flat
