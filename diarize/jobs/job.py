"""What jobs are to be run, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import BadCall

TAIL_LINES = 15
TAIL_BYTES = 8192


@dataclass(frozen=True)
class Job:
    """One finished job: its number from 1, where its output is, how it ended, how long it took."""

    number: int
    log: Path
    exit_code: int
    duration_s: float
    machine: str = ""
    fault: str = ""  # why it was never tried, or given up; empty otherwise

    def tail(self) -> list[str]:
        """Return the last lines of the log; what else is known where there is none."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
                text = log.read(TAIL_BYTES).decode(errors="replace")
                lines = text.splitlines()[-TAIL_LINES:]
        except OSError:
            lines = []
        return [*lines, *([self.fault] if self.fault else [])]


@dataclass(frozen=True)
class Batch:
    """One command, `n_jobs` times; in `shards` each job has a file of its own to work on.

    Raises:
        BadCall: no command, fewer than one job, one log for several jobs.
    """

    command: Sequence[str]
    n_jobs: int
    log: str
    shards: Sequence[Path] = ()

    def __post_init__(self) -> None:
        if not self.command:
            raise BadCall("no command after --")
        if self.n_jobs < 1:
            raise BadCall(f"--nj {self.n_jobs}: at least 1 would be right")
        if self.n_jobs > 1 and "{job}" not in self.log:
            raise BadCall(
                f"--log {self.log}: {{job}} must be in it, "
                f"or {self.n_jobs} jobs would share one file"
            )

    def words(self, number: int) -> list[str]:
        """Return the command of one job.

        >>> Batch(["diarize", "infer", "--shard", "{job}/{nj}"], 4, "{job}.log").words(2)
        ['diarize', 'infer', '--shard', '2/4']
        """
        return [self._fill(word, number) for word in self.command]

    def log_of(self, number: int) -> Path:
        """Return where the output of one job goes."""
        return Path(self._fill(self.log, number))

    def _fill(self, text: str, number: int) -> str:
        if self.shards:
            text = text.replace("{shard}", str(self.shards[number - 1]))
        return text.replace("{job}", str(number)).replace("{nj}", str(self.n_jobs))
