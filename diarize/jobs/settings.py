"""What is asked of a batch system for each worker: one table a launcher in a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from diarize.config import build
from diarize.errors import BadCall, BadFile

BATCH_SYSTEMS = ("slurm", "sge", "pbs", "lsf")


@dataclass(frozen=True)
class WorkerSettings:
    """One worker, which is one job of the batch system and does one of our jobs at a time.

    What is left out is what the batch system takes for itself.
    """

    max_workers: int = 50  # at once; --nj when that is less
    cores: int = 1
    memory: str = "4GB"
    walltime: str | None = (
        None  # as the batch system writes it: a worker that is stopped is replaced
    )
    queue: str | None = None  # or partition
    account: str | None = None  # or project
    directives: tuple[
        str, ...
    ] = ()  # further lines for the head of the script, such as "--gres=gpu:1"
    prologue: tuple[
        str, ...
    ] = ()  # shell lines before the worker starts, such as "module load python"
    interface: str | None = (
        None  # network interface that workers and scheduler meet on, such as "ib0"
    )
    scratch: str | None = None  # folder of the worker's own, on its machine

    def __post_init__(self) -> None:
        for name in ("max_workers", "cores"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}; at least 1 would be right")


def read_launcher(path: Path, launcher: str) -> WorkerSettings:
    """Return the settings of `launcher`: its table in the TOML file `path`, over the defaults.

    Raises:
        BadCall: no such batch system.
        BadFile: a file that cannot be read, a table or a key that there is not, a wrong type.
    """
    if launcher not in BATCH_SYSTEMS:
        raise BadCall(f"no batch system {launcher!r}; there are {', '.join(BATCH_SYSTEMS)}")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise BadFile(f"{path}: not a TOML file: {error}") from error
    for name, table in tables.items():
        if name not in BATCH_SYSTEMS or not isinstance(table, dict):
            raise BadFile(f"{path}: found {name}; there are tables {', '.join(BATCH_SYSTEMS)}")
    return build(WorkerSettings, tables.get(launcher, {}), f"{path} [{launcher}]")
