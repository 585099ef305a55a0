"""The command `python -m diarize.jobs`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import diarize.jobs
from diarize.errors import BadCall, DiarizeError
from diarize.jobs.job import Batch, Job
from diarize.jobs.local import run_here
from diarize.jobs.settings import BATCH_SYSTEMS, read_launcher
from diarize.jobs.shards import split_manifest

LAUNCHERS = ("local", "dask", *BATCH_SYSTEMS)


@dataclass(frozen=True)
class Where:
    """Where jobs run.

    Raises:
        BadCall: an unknown launcher, or one without what it needs.
    """

    launcher: str = "local"
    address: str | None = None  # of the scheduler, for dask
    launchers: Path | None = None  # TOML file, a table a batch system

    def __post_init__(self) -> None:
        if self.launcher not in LAUNCHERS:
            raise BadCall(f"no launcher {self.launcher!r}; there is {', '.join(LAUNCHERS)}")
        if self.launcher == "dask" and not self.address:
            raise BadCall("--launcher dask needs --address tcp://host:8786, where its scheduler is")

    def run(self, batch: Batch) -> Generator[Job]:
        """Yield the jobs as they end; all are stopped when this is interrupted."""
        if self.launcher == "local":
            return run_here(batch)
        from diarize.jobs import cluster

        if self.launcher == "dask":
            return cluster.run_at(str(self.address), batch)
        if self.launchers is None:
            raise BadCall(f"--launcher {self.launcher} needs --launchers FILE, its settings")
        settings = read_launcher(self.launchers, self.launcher)
        return cluster.run_in_queue(self.launcher, settings, batch)


def run_jobs(
    command: Sequence[str], n_jobs: int, log: str, where: Where | None = None
) -> list[Job]:
    """Run `command` `n_jobs` times; return the jobs by number, failed ones included.

    Each job leads a process group of its own, which is stopped whole when this is interrupted.

    Raises:
        BadCall: no command, fewer than one job, one log for several jobs, no such batch system.
        BadFile: a log that cannot be written, a command that cannot be started.
        ClusterGone: no scheduler answers, or no longer.
    """
    where = where or Where()
    return sorted(where.run(Batch(command, n_jobs, log)), key=lambda job: job.number)


class _Terminated(BaseException):
    """A TERM signal came."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command's own arguments; the rest is the command to run."""
    result = argparse.ArgumentParser(
        prog="python -m diarize.jobs",
        description=diarize.jobs.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, environment = result.add_argument, os.environ.get
    add("--nj", type=int, required=True, metavar="N", help="how many jobs")
    add("--log", required=True, metavar="FILE", help="log of each job, with {job} in its name")
    add("--split", type=Path, metavar="FILE", help="a manifest to share out, {shard} to each job")
    add("--launcher", default="local", help=f"one of {', '.join(LAUNCHERS)} (default: local)")
    add(
        "--address",
        default=environment("DIARIZE_ADDRESS"),
        metavar="URL",
        help="scheduler of --launcher dask (default: $DIARIZE_ADDRESS)",
    )
    add(
        "--launchers",
        type=Path,
        default=environment("DIARIZE_LAUNCHERS"),
        metavar="FILE",
        help="settings of the batch systems (default: $DIARIZE_LAUNCHERS)",
    )
    add("command", nargs=argparse.REMAINDER, help="after --")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code: 1 when any job failed."""
    arguments = parser().parse_args(argv)
    command = arguments.command[arguments.command[:1] == ["--"] :]
    signal.signal(signal.SIGTERM, _terminate)
    n_jobs, n_failed = arguments.nj, 0
    try:
        where = Where(arguments.launcher, arguments.address, arguments.launchers)
        batch = Batch(command, n_jobs, arguments.log)
        if arguments.split:
            shards = split_manifest(arguments.split, n_jobs)
            batch = replace(batch, n_jobs=len(shards), shards=shards)
        with contextlib.closing(where.run(batch)) as jobs:
            for job in jobs:
                if job.exit_code:
                    n_failed += 1
                    _tell(job, batch.n_jobs)
    except DiarizeError as error:
        sys.stderr.write(f"jobs: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("jobs: interrupted; every job was stopped\n")
        return 128 + signal.SIGINT
    except _Terminated:
        sys.stderr.write("jobs: terminated; every job was stopped\n")
        return 128 + signal.SIGTERM
    return 1 if n_failed else 0


def _tell(job: Job, n_jobs: int) -> None:
    """Show the end of a failed job's log."""
    on = f" on {job.machine}" if job.machine else ""
    head = f"job {job.number} of {n_jobs}: exit {job.exit_code}{on}, log {job.log}, which ends"
    sys.stderr.write("\n".join([head, *(f"  {line}" for line in job.tail())]) + "\n")
    sys.stderr.flush()
