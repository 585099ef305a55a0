"""Which component is which source, where components have no names: told by the truth, an oracle."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from diarize.errors import BadCall
from diarize.scoring.separation import si_sdr
from diarize.scoring.separation_windows import LIMIT_DB


def best_order(
    references: Float[np.ndarray, "source *channel time"],
    components: Float[np.ndarray, "component *channel time"],
) -> tuple[int, ...]:
    """For each source its component, no component twice: the highest sum of SI-SDR over the song.

    One order for the whole song, channels as one long signal. A source that never plays decides
    nothing. Components that are left over belong to no source.

    Raises:
        BadCall: fewer components than sources.

    >>> sources = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> best_order(sources, np.array([[0.0, 0.0, 1.0], [0.1, 0.9, 0.0], [0.9, 0.0, 0.2]]))
    (2, 1)
    """
    if len(components) < len(references):
        found = f"{len(components)} components for {len(references)} sources"
        raise BadCall(f"{found}; as many at least would be right")
    flat = [one.reshape(len(one), -1) for one in (references, components)]
    scores = np.array([[si_sdr(truth, found) for found in flat[1]] for truth in flat[0]])
    chosen = linear_sum_assignment(np.nan_to_num(scores).clip(-LIMIT_DB, LIMIT_DB), maximize=True)
    return tuple(int(one) for one in chosen[1])
