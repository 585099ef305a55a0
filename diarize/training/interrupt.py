"""Signals held back until a training can stop without losing anything."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


class HeldSignals:
    """Which signal to stop has come, if one has; a second one is not held back."""

    def __init__(self) -> None:
        self.pending: int | None = None
        self._before: dict[int, Any] = {}

    def hold(self) -> None:
        """From now on wait for `let_go`; signals that are ignored stay ignored."""
        for number in STOPPING:
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # None: not Python's to give back
                self._before[number] = handler
                signal.signal(number, self._come)

    def release(self) -> None:
        """Give the signals back to whom they belonged."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def let_go(self, number: int = 0) -> None:
        """Let the signal that has come do what it would have done; nothing if none has.

        With a `number`, that signal has come, if not here, then to another rank.
        """
        if self.pending is None and number:
            self.pending = number
        if self.pending is not None:
            number, self.pending = self.pending, None
            self.release()
            signal.raise_signal(number)

    def _come(self, number: int, _frame: FrameType | None) -> None:
        impatient = self.pending is not None
        self.pending = number
        if impatient:
            self.let_go()


@contextlib.contextmanager
def held_signals() -> Iterator[HeldSignals]:
    """Hold SIGINT and SIGTERM back while in the block, if this is the main thread."""
    held = HeldSignals()
    if threading.current_thread() is threading.main_thread():
        held.hold()
    try:
        yield held
    finally:
        held.release()
    held.let_go()  # one that came after the last moment to ask
