"""Diarization and Jaccard error rates: pyannote.metrics' own, counted by a sweep.

The only file that imports pyannote.metrics (0.9 s): import it where it is used. Accumulation,
`report()`, `confidence_interval()` and `abs()` are the stock classes'; so are the numbers, once
turns of one speaker that overlap have been merged, which is done here always. The stock classes
compare segments one with another, which grows with the square of their number.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np
from jaxtyping import Float
from pyannote.core import Annotation, Timeline
from pyannote.metrics import diarization as stock

from diarize.scoring.sweep import Sweep, optimal_pairs, sweep
from diarize.scoring.turns import Turns, regions_of, turns_of


class DiarizationErrorRate(stock.DiarizationErrorRate):
    """Missed, false and confused speech over all reference speech; several who speak count each.

    Args:
        collar: total width, in seconds, of the unscored window around each boundary of the
            reference: 0.5 here is the 0.25 of NIST's tools.
        skip_overlap: leave out the time in which several speak in the reference.

    A call takes annotations, or `Turns` where one side is scored more than once. Without `uem` it
    scores from the first to the last boundary of either side, and warns.

    Source: NIST, RT-09 evaluation plan, section 6.1.

    >>> from pyannote.core import Segment
    >>> truth, found = Annotation(), Annotation()
    >>> truth[Segment(0, 10)] = "ann"
    >>> found[Segment(2, 10)] = "speaker 1"
    >>> DiarizationErrorRate()(truth, found, uem=Timeline([Segment(0, 20)]))
    0.2
    """

    def compute_components(  # type: ignore[override]  # as the stock class overrides it
        self,
        reference: Annotation | Turns,
        hypothesis: Annotation | Turns,
        uem: Timeline | None = None,
        **kwargs: Any,
    ) -> dict[str, float]:
        """Return seconds of total, correct, missed, false and confused speech."""
        counted = _swept(turns_of(reference), turns_of(hypothesis), uem, self)
        pairs = optimal_pairs(counted)
        correct_s = float(counted.together_s[pairs[:, 0], pairs[:, 1]].sum())
        return {
            "total": counted.total_s,
            "correct": correct_s,
            "missed detection": counted.missed_s,
            "false alarm": counted.false_alarm_s,
            # to the nanosecond: the rounding of sums must not leave a trace of confusion
            "confusion": max(0.0, round(counted.both_s - correct_s, 9)),
        }

    def optimal_mapping(
        self, reference: Annotation, hypothesis: Annotation, uem: Timeline | None = None
    ) -> dict[Hashable, Hashable]:
        """Return the reference speaker of each hypothesis speaker that has one, without collars."""
        return _mapping(reference, hypothesis, uem)


class JaccardErrorRate(stock.JaccardErrorRate):
    """Mean over reference speakers of the time that is theirs or their match's, but not both's.

    Every speaker weighs the same, however short they speak; one without a match counts 1.
    Arguments as for `DiarizationErrorRate`.

    Source: Ryant et al., "Second DIHARD Challenge Evaluation Plan", 2019, section 5.2.
    """

    def compute_components(  # type: ignore[override]  # as the stock class overrides it
        self,
        reference: Annotation | Turns,
        hypothesis: Annotation | Turns,
        uem: Timeline | None = None,
        **kwargs: Any,
    ) -> dict[str, float]:
        """Return the number of reference speakers, and the sum of their error rates."""
        counted = _swept(turns_of(reference), turns_of(hypothesis), uem, self)
        pairs = optimal_pairs(counted, rows="reference")
        shared_s = counted.together_s[pairs[:, 0], pairs[:, 1]]
        spoken_s = counted.reference_s[pairs[:, 0]] + counted.hypothesis_s[pairs[:, 1]]
        n_speakers = int((counted.reference_s > 0).sum())
        apart_s = np.maximum(spoken_s - 2 * shared_s, 0)  # below 0 only by rounding
        error = float((apart_s / (spoken_s - shared_s)).sum())
        return {
            "speaker count": float(n_speakers),
            "speaker error": error + n_speakers - len(pairs),
        }

    def optimal_mapping(
        self, reference: Annotation, hypothesis: Annotation, uem: Timeline | None = None
    ) -> dict[Hashable, Hashable]:
        """Return the reference speaker of each hypothesis speaker that has one, without collars."""
        return _mapping(reference, hypothesis, uem)


def extent_of(reference: Turns, hypothesis: Turns) -> Float[np.ndarray, "region 2"]:
    """Return the one region, in seconds, from the first to the last boundary of either side."""
    extents = [side.extent_s for side in (reference, hypothesis) if side.extent_s is not None]
    if not extents:
        return np.zeros((0, 2))
    return np.array([[min(start for start, _ in extents), max(end for _, end in extents)]])


def _swept(
    reference: Turns,
    hypothesis: Turns,
    uem: Timeline | None,
    metric: stock.DiarizationErrorRate,
) -> Sweep:
    if uem is None:
        warnings.warn(
            "no uem: scored from the first to the last boundary of reference and hypothesis",
            stacklevel=4,
        )
        regions_s = extent_of(reference, hypothesis)
    else:
        regions_s = regions_of(uem)
    return sweep(reference, hypothesis, regions_s, float(metric.collar), bool(metric.skip_overlap))


def _mapping(
    reference: Annotation, hypothesis: Annotation, uem: Timeline | None
) -> dict[Hashable, Hashable]:
    truth, found = turns_of(reference), turns_of(hypothesis)
    regions_s = regions_of(uem) if uem else extent_of(truth, found)
    pairs = optimal_pairs(sweep(truth, found, regions_s))
    return {found.speakers[column]: truth.speakers[row] for row, column in pairs.tolist()}
