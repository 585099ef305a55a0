"""The systems side by side: each a runner kept alive in its own environment, asked in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import THREAD_VARIABLES

from diarize.errors import BadCall, DiarizeError

HERE = Path(__file__).parent
LOG_TAIL_LINES = 8
OURS = ("ours", "ours_cluster")  # by default, and with clustering


@dataclass(frozen=True)
class System:
    """A system to compare: what it is called, and the command of its runner."""

    name: str
    command: tuple[str, ...]


class RunnerStopped(DiarizeError):
    """A runner ended without an answer; the message holds the end of its log."""


def find_systems(names: Sequence[str], environments: Path) -> list[System]:
    """Return the systems called `names`: `OURS` on this Python, a peer on its environment's.

    Raises:
        BadCall: a name without a runner, or an environment that is not there.
    """
    systems = []
    for name in names:
        program = HERE / f"run_{name}.py"
        if not program.exists():
            known = ", ".join(sorted(path.stem[4:] for path in HERE.glob("run_*.py")))
            raise BadCall(f"systems: found {name!r}; there are {known}")
        python = Path(sys.executable) if name in OURS else environments / name / "bin/python"
        if not python.exists():
            raise BadCall(f"{name}: no Python at {python}; run egs/peers/run.sh --stage 0")
        systems.append(System(name, (str(python), str(program))))
    return systems


class Runner:
    """A system at work. `start_s` is from its command to its readiness, imports included."""

    def __init__(self, system: System, threads: int, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.name, self.log = system.name, log
        began = time.monotonic()
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*system.command, "--threads", str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=_environment(system, threads),
            )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._requests, self._replies = process, process.stdin, process.stdout
        ready = self._answer()
        self.start_s = time.monotonic() - began
        self.versions: Mapping[str, str] = ready["versions"]

    def diarize(self, wav: Path) -> dict[str, Any]:
        """Return the runner's answer for one wav; see runner.py for what is in it.

        Raises:
            RunnerStopped: the process is gone.
        """
        try:
            self._requests.write(json.dumps({"wav": str(wav.absolute())}) + "\n")
            self._requests.flush()
        except BrokenPipeError:
            raise self._stopped() from None
        return self._answer()

    def close(self) -> None:
        """Let the runner end, and wait for it; one that does not end is ended."""
        self._requests.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._replies.close()

    def _answer(self) -> dict[str, Any]:
        line = self._replies.readline()
        if not line:
            raise self._stopped()
        return json.loads(line)

    def _stopped(self) -> RunnerStopped:
        code = self._process.wait()
        lines = self.log.read_text(errors="replace").strip().split("\n")
        tail = " | ".join(lines[-LOG_TAIL_LINES:])
        return RunnerStopped(
            f"{self.name}: its runner ended with exit code {code} ({self.log}: {tail})"
        )


def _environment(system: System, threads: int) -> dict[str, str]:
    """This process's environment with the threads fixed; PYTHONPATH is for ours alone."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    if system.name not in OURS:
        environment.pop("PYTHONPATH", None)
    return environment
