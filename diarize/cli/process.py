"""How a command behaves beside others: how it starts, waits and stops."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

NOTEBOOK = "pyannote.core.notebook"


class Terminated(KeyboardInterrupt):
    """The TERM signal, which ends a command the way Ctrl-C does."""


@contextlib.contextmanager
def polite_process() -> Iterator[None]:
    """Stop cleanly when told to, leave the processor to others, and start without delay."""
    # how long a thread of torch spins for the others before it sleeps. By libgomp's default, beside
    # two busy programs on two cores, 30 s of audio took 80 s; now 1 to 5, and alone no longer
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    if sys.stderr is None:  # closed by the caller; print would take standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # as in every file that is written
    # pyannote.core takes half a second for matplotlib's pyplot, which no command draws with
    spared = sys.modules.setdefault(NOTEBOOK, None) is None  # type: ignore[arg-type]
    in_charge = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _stop) if in_charge else None
    try:
        yield
    finally:
        if in_charge:
            signal.signal(signal.SIGTERM, before)
        if spared:
            sys.modules.pop(NOTEBOOK, None)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
