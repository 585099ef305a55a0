"""Jobs as processes of this machine, all at once."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator
from pathlib import Path

from diarize.errors import BadFile
from diarize.jobs.job import Batch, Job
from diarize.jobs.task import POLL_S, Order, Task

GRACE_S = 10.0  # from being asked to stop to being made to


def run_here(batch: Batch) -> Generator[Job]:
    """Yield the jobs as they end, failed ones included; all are stopped if this is interrupted.

    Raises:
        BadFile: a log that cannot be written, a command that is not there.
    """
    running: dict[int, Task] = {}
    try:
        for number in range(1, batch.n_jobs + 1):
            running[number] = _start(batch, number)
        while running:
            ended = [number for number, task in running.items() if task.process.poll() is not None]
            for number in ended:
                yield _finished(batch, number, running.pop(number))
            time.sleep(POLL_S if not ended else 0)
    finally:
        for task in running.values():
            task.ask_to_stop()
        for task in running.values():
            task.wait()


def _start(batch: Batch, number: int) -> Task:
    words, log = batch.words(number), batch.log_of(number)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
    except OSError as error:
        raise BadFile(f"{log}: log cannot be written ({error.strerror})") from error
    if shutil.which(words[0]) is None:
        raise BadFile(f"{words[0]}: cannot be started (no such command)")
    # what the user has set stands
    environment = {"OMP_NUM_THREADS": str(threads_each(batch.n_jobs)), **os.environ}
    try:
        return Task(Order(words, str(log), environment, None, GRACE_S))
    except OSError as error:
        raise BadFile(f"{log}: a job cannot be started ({error.strerror})") from error


def _finished(batch: Batch, number: int, task: Task) -> Job:
    ended = task.wait()
    return Job(number, Path(batch.log_of(number)), ended.exit_code, ended.duration_s)


def threads_each(n_jobs: int) -> int:
    """Return how many processor threads each of `n_jobs` may use here, at least one."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return -(-(n_cores or 1) // n_jobs)
