"""How far a rate over recordings could be off: a bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

N_RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, in the unit of the rate."""

    low: float
    high: float


def ratio_interval(
    error: Float[np.ndarray, " recording"],
    total: Float[np.ndarray, " recording"],
    generator: np.random.Generator,
    level: float = 0.95,
) -> Interval | None:
    """Return the interval of sum(error) / sum(total) over recordings; None for fewer than two.

    The percentile bootstrap: recordings are drawn with replacement as whole, errors with their
    totals, so that long recordings weigh what they weigh in the rate itself. A draw without
    any total counts 1 if it has errors, else 0, as pyannote.metrics has it.

    Source: Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance
    evaluation", 2004, with recordings for sentences.

    >>> errors, totals = np.array([1.0, 1.0]), np.array([10.0, 10.0])
    >>> ratio_interval(errors, totals, np.random.default_rng(0))
    Interval(low=0.1, high=0.1)
    """
    n_recordings = len(total)
    if n_recordings < 2:
        return None
    drawn = generator.multinomial(
        n_recordings, np.full(n_recordings, 1 / n_recordings), size=N_RESAMPLES
    )
    errors, totals = drawn @ error, drawn @ total
    rates = np.where(totals > 0, errors / np.where(totals > 0, totals, 1), errors > 0)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
