"""The processes that `diarize train --ranks N` starts on this machine, and how they end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from diarize.cli.process import Terminated
from diarize.cli.streams import tell
from diarize.errors import BadCall

PARENT = "DIARIZE_RANKS_PARENT"  # a pipe that closes when who started the ranks has gone
LOST = 75  # the exit code of a rank that ended because another did
GRACE_S = 20.0  # for the others to end by themselves, and then to end when told to
POLL_S = 0.05
TAIL_LINES = 15


def run_ranks(n_ranks: int, words: Sequence[str]) -> int:
    """Run `diarize` with these words as so many ranks; the exit code of the first that fails.

    What rank 0 prints is printed; of another, only why it failed. A signal to stop is passed on:
    all stop after the step under way, with a checkpoint. If this process is killed, they are too.

    Raises:
        BadCall: this is a rank itself.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise BadCall("--ranks starts ranks itself; leave it out under torchrun")
    with tempfile.TemporaryDirectory(prefix="diarize-ranks-") as place:
        folder = Path(place)
        mine, theirs = os.pipe()
        try:
            workers = [_start(rank, n_ranks, words, folder, mine) for rank in range(n_ranks)]
            return _all_ended(workers, folder)
        finally:
            os.close(mine)
            os.close(theirs)


def end_with_parent() -> None:
    """Have this process killed as soon as the one that started its ranks is gone."""
    told = os.environ.get(PARENT)
    if told:

        def wait() -> None:
            os.read(int(told), 1)
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=wait, daemon=True).start()


def _start(
    rank: int, n_ranks: int, words: Sequence[str], folder: Path, pipe: int
) -> subprocess.Popen[bytes]:
    n_threads = max(1, len(os.sched_getaffinity(0)) // n_ranks)
    usual = {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": str(n_threads)}
    told = {
        **{"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n_ranks, "LOCAL_WORLD_SIZE": n_ranks},
        **{"DIARIZE_RANKS_MEET_IN": folder / "meeting", PARENT: pipe},
    }
    with contextlib.ExitStack() as files:
        said = None
        if rank:
            said = files.enter_context((folder / f"rank{rank}").open("wb"))
        return subprocess.Popen(
            [sys.executable, "-m", "diarize", *words],
            env={**usual, **os.environ, **{name: str(value) for name, value in told.items()}},
            stdout=subprocess.DEVNULL if rank else None,
            stderr=said,
            pass_fds=(pipe,),
            start_new_session=True,  # what a terminal sends to all comes from here, and once
        )


def _all_ended(workers: Sequence[subprocess.Popen[bytes]], folder: Path) -> int:
    """Wait for all, have all end when one fails, and say why if rank 0 has not."""
    failed: list[int] = []  # ranks, in the order in which they ended
    told_s, pushes = 0.0, [signal.SIGTERM, signal.SIGKILL]
    while any(worker.poll() is None for worker in workers):
        try:
            time.sleep(POLL_S)
        except KeyboardInterrupt as stop:
            _send(workers, signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
        ended = [rank for rank, worker in enumerate(workers) if worker.poll()]
        new = [rank for rank in ended if rank not in failed]
        if new and not failed:
            told_s = time.monotonic()
        failed += new
        if failed and pushes and time.monotonic() - told_s > GRACE_S:
            _send(workers, pushes.pop(0))
            told_s = time.monotonic()
    codes = [worker.returncode for worker in workers]
    failed += [rank for rank, code in enumerate(codes) if code and rank not in failed]
    if not failed:
        return 0
    return _told(codes, failed, folder)


def _told(codes: Sequence[int], failed: Sequence[int], folder: Path) -> int:
    """The exit code of the first rank that failed by itself; its reason is told."""
    culprit = next((rank for rank in failed if codes[rank] != LOST), failed[0])
    code = codes[culprit]
    if code < 0:
        tell(f"diarize train: rank {culprit} was killed by signal {-code}")
        return 128 - code
    if culprit and codes[0] in (0, LOST, -signal.SIGTERM, -signal.SIGKILL):
        said = (folder / f"rank{culprit}").read_text(errors="replace").splitlines()
        for line in [f"rank {culprit} failed:", *said[-TAIL_LINES:]]:
            tell(line)
    return code


def _send(workers: Sequence[subprocess.Popen[bytes]], number: signal.Signals) -> None:
    for worker in workers:
        worker.send_signal(number)  # nothing to one that has ended
