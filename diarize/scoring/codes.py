"""What codes cost by counting: the baselines of a model of codes, in nats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from diarize.errors import BadCall

Windows = Sequence[Int[np.ndarray, "_slot _frame"]]  # of one number of slots
ADDED = 0.5  # to each count of a single code
PULLS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)  # towards single codes, of which one is chosen


def uniform_nats(n_codes: int, n_slots: int) -> Float[np.ndarray, " slot"]:
    """Each code as likely as any other."""
    return np.full(n_slots, math.log(n_codes))


class CodeCounts:
    """How often codes came, each by itself and after another, in windows to learn from.

    A row of a window is one code of a frame (a slot), and has counts of its own. Single codes get
    half a count more than they came (Krichevsky and Trofimov). After another: p(b | a) =
    (n(a, b) + pull p(b)) / (n(a) + pull), with the pull under which `develop` is likeliest.
    """

    def __init__(self, windows: Windows, develop: Windows, n_codes: int) -> None:
        if not windows or not develop:
            raise BadCall(
                "no windows of codes to count, or none to choose by; 1 or more are needed"
            )
        self.n_codes, self.n_slots = n_codes, len(windows[0])
        counts = np.full((self.n_slots, n_codes), ADDED)
        self._pairs = {name: self._counted(windows, name) for name in BEFORE}
        for window in windows:
            for slot, row in enumerate(window):
                counts[slot] += np.bincount(row, minlength=n_codes)
        self.single = counts / counts.sum(1, keepdims=True)
        self.pulls: dict[str, float] = {}
        for name in BEFORE:
            costs = {pull: self._after(develop, name, pull).mean() for pull in PULLS}
            self.pulls[name] = min(costs, key=lambda pull: costs[pull])

    def single_nats(self, windows: Windows) -> Float[np.ndarray, " slot"]:
        """Mean cost of each slot's codes by themselves (unigram)."""
        rows = [-np.log(self.single[slot, row]) for one in windows for slot, row in enumerate(one)]
        per_window = np.array([row.mean() for row in rows]).reshape(len(windows), -1)
        return np.asarray(per_window.mean(0))

    def after_nats(self, windows: Windows, name: str) -> Float[np.ndarray, " slot"]:
        """Mean cost of each slot's codes after another: "frame", its own of the frame before.

        Or "turn", the code told before it in the same frame. What has none before it costs what it
        does by itself.
        """
        return self._after(windows, name, self.pulls[name])

    def _counted(self, windows: Windows, name: str) -> Float[np.ndarray, "slot code code"]:
        counts = np.zeros((self.n_slots, self.n_codes, self.n_codes), np.float32)
        for window in windows:
            before, after, slots = BEFORE[name](window)
            np.add.at(counts, (slots, before, after), 1)
        return counts

    def _after(self, windows: Windows, name: str, pull: float) -> Float[np.ndarray, " slot"]:
        pairs = self._pairs[name]
        totals = pairs.sum(2)
        found = np.zeros(self.n_slots)
        for window in windows:
            nats = -np.log(np.take_along_axis(self.single, window, 1))
            before, after, slots = BEFORE[name](window)
            single = self.single[slots, after]
            likely = (pairs[slots, before, after] + pull * single) / (totals[slots, before] + pull)
            spared = -np.log(likely) + np.log(single)
            np.add.at(found, slots, spared / window.shape[1])
            found += nats.mean(1)
        return np.asarray(found / len(windows))


def _by_frame(window: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    slots = np.repeat(np.arange(len(window)), window.shape[1] - 1)
    return window[:, :-1].ravel(), window[:, 1:].ravel(), slots


def _by_turn(window: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    slots = np.repeat(np.arange(1, len(window)), window.shape[1])
    return window[:-1].ravel(), window[1:].ravel(), slots


BEFORE: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
    "frame": _by_frame,
    "turn": _by_turn,
}
