"""How far a download is, on standard error: a bar on a terminal, else a line a file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Progress = Callable[[str, int, int | None], None]


@contextlib.contextmanager
def download_bar() -> Iterator[Progress]:
    """Something to tell name, bytes so far, and bytes in all if they are known."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, redirect_stdout=False
    ) as bar:
        task = bar.add_task("", total=None, visible=False)
        yield lambda name, now, total: bar.update(
            task, description=name, completed=now, total=total, visible=True
        )


class _Lines:
    """A line when a file begins, or goes on."""

    def __init__(self) -> None:
        self.name = ""

    def __call__(self, name: str, n_bytes: int, n_all: int | None) -> None:
        if name == self.name:
            return
        self.name = name
        size = f", {n_all / 1e6:.1f} MB" if n_all else ""
        onward = f", on from {n_bytes / 1e6:.1f} MB" if n_bytes else ""
        print(f"diarize fetch: {name}{size}{onward}", file=sys.stderr, flush=True)
