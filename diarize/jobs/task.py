"""One job on the machine it runs on: started, stopped, logged.

A cluster's workers are sent this module as it stands, so it needs nothing but Python: what they
must share with whoever sends jobs is the file system and the versions of Python and Dask.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

POLL_S = 0.02
WANTED_S = 0.5  # how often a worker looks whether its job is still wanted
NOT_STARTED = 127  # exit code, as of a shell that does not find a command

# Between a job and whoever started it. If that one is gone, even killed with -9, so is the other
# end of the pipe, and the job with all that it started is stopped: asked as by Ctrl-C, then made
# to. Otherwise a job whose worker was killed would run on beside the one that takes its place.
GUARD = """
import os, select, signal, subprocess, sys
grace_s, words = float(sys.argv[1]), sys.argv[2:]
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs do not hear it otherwise
try:
    job = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
except OSError as error:
    print("# could not be started:", error, flush=True)
    sys.exit(127)
def send(number):
    try:
        os.killpg(job.pid, number)
    except ProcessLookupError:
        pass
try:
    watched, nap_s = [0, os.pidfd_open(job.pid)], None
except (AttributeError, OSError):  # only Linux has that
    watched, nap_s = [0], 0.1
while job.poll() is None:
    if 0 in select.select(watched, [], [], nap_s)[0] and not os.read(0, 1):
        send(signal.SIGINT)
        try:
            job.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass
        send(signal.SIGKILL)
        job.wait()
sys.exit(job.returncode if job.returncode >= 0 else 128 - job.returncode)
"""


class Order(NamedTuple):
    """What is to be run: the words of the command, and in what surroundings."""

    words: Sequence[str]
    log: str
    environment: Mapping[str, str] | None  # None: as here
    folder: str | None  # to run in; None: as here
    grace_s: float  # from being asked to stop to being made to


class Ended(NamedTuple):
    """How a job ended: its exit code (128 and the number of a signal), its seconds, and where."""

    exit_code: int
    duration_s: float
    machine: str
    fault: str  # why it could not be tried at all; empty if it was


class Task:
    """A running job. Its log grows; what an earlier try left in it stays."""

    def __init__(self, order: Order) -> None:
        """Open the log and start the command.

        Raises:
            OSError: the log cannot be written, or no process can be started.
        """
        self.began_s = time.monotonic()
        self.out: TextIO = Path(order.log).open("a", encoding="utf-8")  # noqa: SIM115
        try:
            print("#", shlex.join(order.words), file=self.out, flush=True)
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", GUARD, str(order.grace_s), *order.words],
                stdin=subprocess.PIPE,
                stdout=self.out,
                stderr=subprocess.STDOUT,
                env=None if order.environment is None else dict(order.environment),
                cwd=order.folder,
                start_new_session=True,  # a Ctrl-C is for whoever started it to pass on
            )
        except BaseException:
            with contextlib.suppress(OSError):  # a full disk may fail this too
                self.out.close()
            raise

    def poll(self) -> Ended | None:
        """Return how it ended, or nothing while it runs."""
        code = self.process.poll()
        return None if code is None else self._close(code)

    def ask_to_stop(self) -> None:
        """Let the guard know that nobody waits for this job any more."""
        if self.process.stdin:
            self.process.stdin.close()

    def wait(self) -> Ended:
        """Return how it ended, when it has."""
        return self._close(self.process.wait())

    def _close(self, code: int) -> Ended:
        self.ask_to_stop()
        took_s = time.monotonic() - self.began_s
        code = code if code >= 0 else 128 - code
        with contextlib.suppress(OSError):  # on a full disk the exit code still counts
            print(f"# exit {code} after {took_s:.1f} s", file=self.out, flush=True)
        with contextlib.suppress(OSError):
            self.out.close()
        return Ended(code, took_s, socket.gethostname(), "")


def run_task(order: Order, is_wanted: Callable[[], bool]) -> Ended:
    """Run a job to its end, or until it is no longer wanted."""
    try:
        task = Task(order)
    except OSError as error:
        fault = f"{error.filename or order.log}: {error.strerror or error}"
        return Ended(NOT_STARTED, 0.0, socket.gethostname(), fault)
    asked_s = time.monotonic()
    try:
        while (ended := task.poll()) is None:
            time.sleep(POLL_S)
            if time.monotonic() - asked_s > WANTED_S:
                asked_s = time.monotonic()
                if not is_wanted():
                    break
    finally:
        task.ask_to_stop()
    return ended or task.wait()
