"""A progress bar on standard error, where that is a terminal; nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

SPANS = {  # of a recording's time, by what is done
    "segmentation": (0.0, 0.35),
    "voices": (0.35, 0.85),
    "attribution": (0.85, 1.0),
    "separation": (0.0, 1.0),
}


class Told:
    """Takes what the diarizer tells of its progress; shows nothing."""

    def __call__(self, step: str, share: float) -> None:
        """Step `step` of the recording at hand is done to this share."""

    def next_recording(self) -> None:
        """One recording is finished, skipped or failed."""


class _Bar(Told):
    def __init__(self, n_recordings: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        # rich would send what is printed on standard output, the result, to the bar's console
        self.bar = Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
        )
        self.task = self.bar.add_task("", total=float(n_recordings))
        self.n_recordings = n_recordings
        self.finished = 0
        self.step = ""

    def __call__(self, step: str, share: float) -> None:
        start, end = SPANS[step]
        done = start + share * (end - start)
        which = f"{self.finished + 1}/{self.n_recordings} " if self.n_recordings > 1 else ""
        self.bar.update(
            self.task,
            completed=self.finished + done,
            description=which + step,
            refresh=step != self.step,  # a step quicker than the bar's clock is shown all the same
        )
        self.step = step

    def next_recording(self) -> None:
        self.finished += 1
        self.bar.update(self.task, completed=float(self.finished))


@contextlib.contextmanager
def progress_bar(n_recordings: int) -> Iterator[Told]:
    """Something to tell progress to, shown as a bar until the block is left."""
    if not sys.stderr.isatty():
        yield Told()
        return
    told = _Bar(n_recordings)
    with told.bar:
        yield told
