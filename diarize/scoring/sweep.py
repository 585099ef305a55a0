"""Reference and hypothesis counted against each other in one pass over their boundaries.

Time is cut at every boundary of either side, of the scored regions and of the collars, so that
nothing changes within a cell. A cell shorter than a microsecond counts for nothing, as in
pyannote.core. All counting is array arithmetic: it grows as n log n with the turns and with the
time in which speakers overlap, and works on a window of cells at a time to bound its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float, Int
from pyannote.core.utils.generators import int_generator, string_generator
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array

from diarize.formats.text import SHORTEST_S
from diarize.scoring.turns import Turns

VALUES_AT_ONCE = 8_000_000  # the most a window of cells can hold: every speaker at all times


@dataclass(frozen=True)
class Sweep:
    """Scored time, in seconds; time in which several speak counts once for each.

    `both_s` is what the two sides have in common whoever it was: correct plus confusion.
    `together_s` holds, for each pair of speakers, how long both speak.
    """

    total_s: float
    missed_s: float
    false_alarm_s: float
    both_s: float
    reference_s: Float[np.ndarray, " reference"]
    hypothesis_s: Float[np.ndarray, " hypothesis"]
    together_s: Float[np.ndarray, "reference hypothesis"]


def sweep(
    reference: Turns,
    hypothesis: Turns,
    regions_s: Float[np.ndarray, "region 2"],
    collar_s: float = 0.0,
    skip_overlap: bool = False,
) -> Sweep:
    """Return how long each thing was the case within the scored regions.

    Args:
        reference: who truly spoke when.
        hypothesis: who is said to have.
        regions_s: start and end of what is scored, merged.
        collar_s: total width, in seconds, of the unscored window around every boundary of the
            reference, as in pyannote.metrics; NIST tools name half of it.
        skip_overlap: leave out the time in which several speak in the reference.
    """
    edges_s = np.concatenate([reference.start_s, reference.end_s])
    collars_s = np.stack([edges_s - 0.5 * collar_s, edges_s + 0.5 * collar_s], axis=1)
    if collar_s <= 0:
        collars_s = collars_s[:0]
    hypothesis_s = np.concatenate([hypothesis.start_s, hypothesis.end_s])
    grid_s = np.unique(
        np.concatenate([edges_s, hypothesis_s, regions_s.ravel(), collars_s.ravel()])
    )
    n_reference = _depth(grid_s, reference.start_s, reference.end_s)
    n_hypothesis = _depth(grid_s, hypothesis.start_s, hypothesis.end_s)
    scored = _depth(grid_s, regions_s[:, 0], regions_s[:, 1]) > 0
    scored &= _depth(grid_s, collars_s[:, 0], collars_s[:, 1]) == 0
    if skip_overlap:
        scored &= n_reference < 2
    length_s = np.diff(grid_s)
    length_s = np.where(scored & (length_s > SHORTEST_S), length_s, 0.0)
    surplus = n_reference - n_hypothesis
    return Sweep(
        float(length_s @ n_reference),
        float(length_s @ np.maximum(surplus, 0)),
        float(length_s @ np.maximum(-surplus, 0)),
        float(length_s @ np.minimum(n_reference, n_hypothesis)),
        *_by_speaker(reference, hypothesis, grid_s, length_s),
    )


def optimal_pairs(counted: Sweep, rows: str = "hypothesis") -> Int[np.ndarray, "pair 2"]:
    """Return the one-to-one (reference, hypothesis) pairs of speakers that share the most time.

    Only pairs that share any. Where several choices share as much, it is the one that
    pyannote.metrics makes: its diarization error rate puts the hypothesis in the rows of the
    assignment, its Jaccard error rate the reference; `rows` says which.
    """
    reference = _stock_order(counted.reference_s, string_generator)
    hypothesis = _stock_order(counted.hypothesis_s, int_generator)
    # to the nanosecond: the rounding noise of sums must not break a tie
    shared_s = np.round(counted.together_s[np.ix_(reference, hypothesis)], 9)
    if rows == "hypothesis":
        column, row = linear_sum_assignment(shared_s.T, maximize=True)
    else:
        row, column = linear_sum_assignment(shared_s, maximize=True)
    shares = shared_s[row, column] > 0
    return np.stack([reference[row[shares]], hypothesis[column[shares]]], axis=1)


def _depth(
    grid_s: Float[np.ndarray, " boundary"],
    start_s: Float[np.ndarray, " turn"],
    end_s: Float[np.ndarray, " turn"],
) -> Int[np.ndarray, " cell"]:
    """How many of the turns cover each cell of the grid."""
    opened = np.bincount(np.searchsorted(grid_s, start_s), minlength=len(grid_s))
    closed = np.bincount(np.searchsorted(grid_s, end_s), minlength=len(grid_s))
    return np.cumsum(opened - closed)[:-1]


def _by_speaker(
    reference: Turns,
    hypothesis: Turns,
    grid_s: Float[np.ndarray, " boundary"],
    length_s: Float[np.ndarray, " cell"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scored seconds of each reference speaker, each hypothesis speaker, and each pair."""
    first = [np.searchsorted(grid_s, side.start_s) for side in (reference, hypothesis)]
    last = [np.searchsorted(grid_s, side.end_s) for side in (reference, hypothesis)]
    n_reference, n_hypothesis = len(reference.speakers), len(hypothesis.speakers)
    reference_s, hypothesis_s = np.zeros(n_reference), np.zeros(n_hypothesis)
    together_s = np.zeros((n_reference, n_hypothesis))
    width = max(256, VALUES_AT_ONCE // (n_reference + n_hypothesis + 1))
    for begin in range(0, len(length_s), width):
        window = (begin, min(begin + width, len(length_s)))
        rows = _covered(reference, first[0], last[0], window)
        columns = _covered(hypothesis, first[1], last[1], window)
        columns.data *= length_s[slice(*window)][columns.indices]
        reference_s += rows @ length_s[slice(*window)]
        hypothesis_s += columns.sum(axis=1)
        together_s += (rows @ columns.T).toarray()
    return reference_s, hypothesis_s, together_s


def _covered(
    turns: Turns,
    first: Int[np.ndarray, " turn"],
    last: Int[np.ndarray, " turn"],
    window: tuple[int, int],
) -> csr_array:
    """A sparse speaker x cell matrix: 1 where a turn covers a cell of the window."""
    first, last = np.clip(first, *window), np.clip(last, *window)
    n_cells = last - first
    offset = np.arange(n_cells.sum()) - np.repeat(np.cumsum(n_cells) - n_cells, n_cells)
    cell = np.repeat(first - window[0], n_cells) + offset
    speaker = np.repeat(turns.speaker, n_cells)
    shape = (len(turns.speakers), window[1] - window[0])
    return csr_array((np.ones(len(cell)), (speaker, cell)), shape=shape)


def _stock_order(
    spoken_s: Float[np.ndarray, " speaker"], names: Callable[[], Iterator[str | int]]
) -> Int[np.ndarray, " present"]:
    """The speakers that are heard, in the order in which pyannote.metrics has them in its matrix.

    It renames them A, B, ... or 0, 1, ... and sorts these as text, so that 10 precedes 2.
    """
    present = np.flatnonzero(spoken_s > 0)
    renamed = [str(name) for name in islice(names(), len(present))]
    return present[np.array(sorted(range(len(present)), key=renamed.__getitem__), dtype=np.int64)]
