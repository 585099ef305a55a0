"""How a training tells where it is: a bar on standard error, or a line an epoch."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diarize.training.progress import Progress


@contextlib.contextmanager
def training_bar() -> Iterator[Callable[[Progress], None]]:
    """Something to tell a training's progress to: a bar, or a line an epoch if no terminal."""
    if not sys.stderr.isatty():
        yield _epoch_line
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rest]}")
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=1.0, rest="")
        yield lambda told: bar.update(
            task, completed=told.share, description=_where(told), rest=_rest(told)
        )


def _epoch_line(told: Progress) -> None:
    if told.is_epoch_end:
        rest = f", {_rest(told)}" if told.share < 1 and told.remaining_s is not None else ""
        line = f"{_where(told)}{rest}, {100 * told.share:.1f} % done"
        print(line, file=sys.stderr, flush=True)


def _where(told: Progress) -> str:
    return f"{told.phase}, epoch {told.epoch} of {told.n_epochs}: loss {told.total:.4g}"


def _rest(told: Progress) -> str:
    """How long it may still take, in words."""
    if told.remaining_s is None:
        return ""
    hours, seconds = divmod(round(told.remaining_s), 3600)
    minutes, seconds = divmod(seconds, 60)
    if hours:
        return f"{hours} h {minutes} min to go"
    return f"{minutes} min {seconds} s to go" if minutes else f"{seconds} s to go"
