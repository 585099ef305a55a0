"""What a training tells of itself: a file of one JSON object a line, as if it never stopped."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from diarize.errors import BadCall, BadFile
from diarize.training.checkpoint import Position
from diarize.training.update import Update

JOURNAL = "journal.jsonl"


class Journal:
    """Writes `journal.jsonl` in a folder, which it keeps other trainings out of.

    Every line has `kind`, `phase`, `epoch` (from 0), `steps` (done in all phases), `seconds`. One
    of kind "step" has `step` (the last it tells of, from 0), `rate`, and the means over the
    `n_steps` since the line before: `total`, `gradient_norm`, and each part of the losses by its
    name. One of kind "epoch" has what the model gave at the end of it, by its name; one of kind
    "development" what the development data cost then; one of kind "stop" says that the phase ended
    early. What is not finite is null.

    With `writes` False it keeps count of all this, and touches no file.
    """

    def __init__(self, folder: Path, every: int = 10, writes: bool = True) -> None:
        self.path = folder / JOURNAL
        self.every = every
        self.writes = writes
        self.last: dict[str, float] = {}
        self._n_lines = 0
        self._sums: dict[str, list[float]] = {}  # of each number, and of how many steps
        self._board: Any = None
        if writes:
            self._open(folder)

    def _open(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise BadFile(f"{self.path}: cannot be written ({error.strerror})") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise BadCall(
                f"{folder}: another training is at work there; wait for it, or name another folder"
            ) from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.writes:
            self._file.close()
        if self._board is not None:
            self._board.close()

    def begin(self, state: Mapping[str, Any] | None = None) -> None:
        """Go on from what `state` told at a checkpoint: later lines go. None begins afresh."""
        state = state or {"n_lines": 0, "sums": {}, "last": {}}
        if self.writes:
            lines = self.path.read_bytes().splitlines(keepends=True)[: state["n_lines"]]
            os.truncate(self.path, sum(map(len, lines)))
            self._n_lines = len(lines)
        self._sums = {name: list(pair) for name, pair in state["sums"].items()}
        self.last = dict(state["last"])

    def state(self) -> dict[str, Any]:
        """What `begin` needs; the lines so far are on the disk when this returns."""
        os.fsync(self._file.fileno())
        return {"n_lines": self._n_lines, "sums": self._sums, "last": self.last}

    def show_on_tensorboard(self, steps: int) -> None:
        """Tell TensorBoard the same, from step `steps` on, in the folder `tensorboard`.

        Raises:
            BadCall: it is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise BadCall(
                "tensorboard = true in [train], and tensorboard is not installed: `pip install "
                f"tensorboard`, or leave it out; {self.path} has the same numbers"
            ) from None
        folder = str(self.path.with_name("tensorboard"))
        self._board = SummaryWriter(folder, purge_step=steps + 1)

    def step(self, done: Position, rate: float, update: Update, is_last: bool) -> bool:
        """Take in a step, which `done` stands after; True if that made a line.

        Every so many steps do, and `is_last`, the last of an epoch.
        """
        own = {"total": update.loss, "gradient_norm": update.gradient_norm}
        for name, value in _joined(own, update.parts).items():
            pair = self._sums.setdefault(name, [0.0, 0])
            pair[0] += value
            pair[1] += 1
        if done.step % self.every and not is_last:
            return False
        place = {"step": done.step - 1, "n_steps": int(self._sums["total"][1]), "rate": rate}
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        self.last = {name: mean for name, mean in means.items() if name != "gradient_norm"}
        self._write("step", done, place, means)
        return True

    def epoch(self, done: Position, numbers: Mapping[str, float]) -> None:
        """Write what the model gave at the end of the epoch, where `done` stands."""
        self._write("epoch", done, {}, numbers)

    def development(self, done: Position, numbers: Mapping[str, float], n_waited: int) -> None:
        """Write what the development data cost, and how many looks ago they cost least."""
        self._write("development", done, {"n_waited": n_waited}, numbers)

    def stop(self, done: Position, watched: str, best: float) -> None:
        """Write that the phase ended out of patience; `best` is what it goes back to."""
        self._write("stop", done, {"watch": watched}, {"best": best})

    def _write(
        self, kind: str, done: Position, place: Mapping[str, Any], numbers: Mapping[str, float]
    ) -> None:
        if not self.writes:
            return
        head = {"kind": kind, "phase": done.phase, "epoch": done.epoch, "steps": done.steps}
        tail = {"seconds": round(done.seconds, 3)}
        line = _joined(head | dict(place) | tail, numbers)
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in line.items()
        }
        try:
            self._file.write(json.dumps(finite, allow_nan=False).encode() + b"\n")
        except OSError as error:
            raise BadFile(f"{self.path}: cannot be written ({error.strerror})") from None
        self._n_lines += 1
        if self._board is not None:
            folder = "development/" if kind == "development" else ""
            for name, value in numbers.items():
                self._board.add_scalar(f"{done.phase}/{folder}{name}", value, done.steps)


def _joined(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Both in one; what a model gives must not go by a name of the journal's own."""
    if taken := sorted(own.keys() & given.keys()):
        raise BadCall(f"the model calls a number {taken[0]!r}, as the journal does; rename it")
    return {**own, **given}
