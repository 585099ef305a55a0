"""Dask workers that a batch system starts: asked for, replaced when they die, given back."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diarize.errors import BadCall
from diarize.jobs.job import Batch
from diarize.jobs.settings import WorkerSettings

SUBMIT = {"slurm": "sbatch", "sge": "qsub", "pbs": "qsub", "lsf": "bsub"}
ACCOUNT = {"slurm": "account", "sge": "project", "pbs": "account", "lsf": "project"}
TRIES = 10  # workers that may die on one job before it is given up, for walltimes end too
KEEP_EVERY = 20  # looks between two checks that as many workers are there as were asked for


class Workers:
    """Workers asked of a batch system, and what it said to that."""

    def __init__(self, launcher: str, cluster: Any, n_wanted: int, refusals: list[str]) -> None:
        self.launcher, self.cluster, self.refusals = launcher, cluster, refusals
        self.n_wanted, self.n_looks = n_wanted, 0
        self.address: str = cluster.scheduler_address

    def keep(self, n_left: int, n_workers: int) -> None:
        """Have the dead replaced, as long as there is work for them.

        Raises:
            BadCall: nobody is there, and the batch system refused.
        """
        if self.refusals and not n_workers:
            raise BadCall(f"--launcher {self.launcher}: {self.refusals[0]}")
        self.n_looks += 1
        if self.n_looks % KEEP_EVERY == 0:
            self.cluster.scale(min(self.n_wanted, max(n_left, n_workers)))


@contextlib.contextmanager
def workers_in_queue(launcher: str, settings: WorkerSettings, batch: Batch) -> Iterator[Workers]:
    """The workers for a batch: `settings.max_workers`, or fewer when there are fewer jobs.

    Raises:
        BadCall: this machine cannot ask the batch system.
    """
    if shutil.which(SUBMIT[launcher]) is None:
        raise BadCall(
            f"--launcher {launcher}: no {SUBMIT[launcher]} on this machine; "
            f"start this where jobs are given to {launcher}, or take --launcher local"
        )
    import dask
    import dask_jobqueue

    refusals: list[str] = []
    kind = getattr(dask_jobqueue, f"{launcher.upper()}Cluster")
    job = _noting(kind.job_cls, refusals)
    n_workers = min(batch.n_jobs, settings.max_workers)
    with dask.config.set({"distributed.scheduler.allowed-failures": TRIES}):
        cluster = kind(job_cls=job, **_asked(launcher, settings, batch.log_of(1).parent))
        try:
            cluster.scale(n_workers)
            yield Workers(launcher, cluster, n_workers, refusals)
        finally:
            cluster.close()


def _asked(launcher: str, settings: WorkerSettings, logs: Path) -> dict[str, Any]:
    """What dask-jobqueue takes, from what our settings say; what is none there is left out."""
    one_job_at_a_time = ["--nthreads", "1"]  # whatever cores it has
    asked: dict[str, Any] = {
        "job_name": "diarize",
        "cores": settings.cores,
        "processes": 1,
        "memory": settings.memory,
        "walltime": settings.walltime,
        "queue": settings.queue,
        ACCOUNT[launcher]: settings.account,
        "job_extra_directives": list(settings.directives),
        "job_script_prologue": list(settings.prologue),
        "interface": settings.interface,
        "local_directory": settings.scratch and shlex.quote(settings.scratch),
        "python": shlex.quote(sys.executable),
        "worker_extra_args": one_job_at_a_time,
        "scheduler_options": {"dashboard": False, "dashboard_address": ":0"},
    }
    if " " not in str(logs):  # it is written into the script's head without quotes
        asked["log_directory"] = os.fspath(logs)
    return {name: value for name, value in asked.items() if value is not None}


def _noting(kind: type[Any], refusals: list[str]) -> type[Any]:
    """A kind of job that notes why it was refused, where the original would only log it."""

    from distributed.deploy.spec import ProcessInterface

    class Noting(kind):
        async def start(self) -> None:
            try:
                await super().start()
            except (RuntimeError, OSError) as error:
                refusals.append(_why(str(error)))
                await ProcessInterface.start(self)  # there is nothing to watch or to cancel

    return Noting


def _why(text: str) -> str:
    """The last line that the batch system said, out of all that dask-jobqueue tells.

    >>> _why("Command exited with non-zero exit code.\\nsbatch: error: no such queue\\n\\n")
    'sbatch: error: no such queue'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it refused, and did not say why"
