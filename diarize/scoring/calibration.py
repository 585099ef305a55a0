"""Whether a posterior means what it says: of all that is held 70 % sure, is 70 % true?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from diarize.formats.activity import Activity
from diarize.scoring.frames import activity_row, posterior_row, scored_windows
from diarize.scoring.turns import Turns

N_BINS = 10
DEFINITION = (
    "calibration: each speaker and scored 10 ms frame (no collar, overlap scored) counts once, in "
    "one of 10 equal bins of its posterior; ECE, the expected calibration error, is the mean over "
    "bins, weighted by their frames, of |mean posterior - share true|, max the largest of these. "
    "True is what the reference says of the speaker that the optimal mapping of DER (no collar) "
    "gives; a found speaker without a match is never true, a reference speaker without a match "
    "counts with posterior 0. All together: the frames of all recordings with a posterior, in one "
    "table. Silence fills the lowest bin, so compare ECE over the same recordings only."
)
_EDGES = np.arange(1, N_BINS) / N_BINS


@dataclass(frozen=True)
class Bin:
    """Frames whose posterior lies from `low` to below `high` (the last bin: up to 1 included).

    A frame counts once for each speaker.
    """

    low: float
    high: float
    n_frames: int
    n_true: int
    posterior_sum: float

    @property
    def mean_posterior(self) -> float:
        """What was held to be probable, 0 to 1; NaN without frames."""
        return self.posterior_sum / self.n_frames if self.n_frames else math.nan

    @property
    def share_true(self) -> float:
        """What was so, 0 to 1; NaN without frames."""
        return self.n_true / self.n_frames if self.n_frames else math.nan

    @property
    def error(self) -> float:
        """How far these two are apart, 0 to 1; NaN without frames."""
        return abs(self.mean_posterior - self.share_true)


@dataclass(frozen=True)
class Calibration:
    """The reliability table of a posterior: equal bins that tile 0 to 1."""

    bins: tuple[Bin, ...]

    @property
    def n_frames(self) -> int:
        """How many frames there are, each counted once for each speaker."""
        return sum(one.n_frames for one in self.bins)

    @property
    def expected_error(self) -> float:
        """The expected calibration error (ECE), 0 to 1; NaN without frames."""
        if not self.n_frames:
            return math.nan
        return sum(one.n_frames * one.error for one in self.bins if one.n_frames) / self.n_frames

    @property
    def max_error(self) -> float:
        """The largest error of a bin, however few frames are in it; NaN without frames."""
        return max((one.error for one in self.bins if one.n_frames), default=math.nan)


def calibration(
    reference: Turns,
    posterior: Activity,
    regions_s: Float[np.ndarray, "region 2"],
    mapping: Mapping[Hashable, Hashable],
) -> Calibration:
    """Return the reliability table of one recording.

    Counted are the frames of 10 ms whose centres lie in the scored regions, once for each row of
    the posterior and once for each reference speaker without a match who is heard there. The
    truth of a row is whether its match talks at the frame's centre; never, where it has no match.
    A reference speaker without a match counts with posterior 0, so that people who were not found
    are not hidden. A posterior of another hop is read at the frames' centres; before its start and
    after its end it is 0.

    Frames where hardly anybody could talk fill the lowest bin and make the error small: compare
    figures over the same recordings only.

    Args:
        reference: who truly spoke when.
        posterior: how probable each found speaker is, by name.
        regions_s: start and end of what is scored, merged.
        mapping: hypothesis speaker -> reference speaker, one to one.

    Raises:
        BadCall: a mapped speaker has no row in the posterior.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", 2015 (ECE and its maximum), for a probability of being on in place of the top class.
    """
    matches = {str(found): truth for found, truth in mapping.items()}
    rows = dict.fromkeys((*posterior.speakers, *matches))  # a match without a row is refused
    unmatched = [label for label in reference.speakers if label not in matches.values()]
    counts = np.zeros((3, N_BINS))
    not_found = {label: np.zeros((3, N_BINS)) for label in unmatched}
    for window, scored in scored_windows(regions_s):
        nothing = np.zeros(int(scored.sum()))
        for name in rows:
            held = posterior_row(posterior, name, window)[scored]
            truth = nothing > 0
            if name in matches:
                truth = activity_row(reference, matches[name], window)[scored]
            counts += _binned(held, truth)
        for label in unmatched:
            not_found[label] += _binned(nothing, activity_row(reference, label, window)[scored])
    heard = [theirs for theirs in not_found.values() if theirs[1].any()]
    return _table(sum(heard, counts))


def together(parts: Sequence[Calibration]) -> Calibration:
    """Return the reliability table of all frames of these, each frame weighing the same."""
    counts = np.zeros((3, N_BINS))
    for part in parts:
        found = [(one.n_frames, one.n_true, one.posterior_sum) for one in part.bins]
        counts += np.array(found, dtype=float).T
    return _table(counts)


def of_decisions(
    probabilities: Float[np.ndarray, " decision"], are_right: Bool[np.ndarray, " decision"]
) -> Calibration:
    """Return the reliability table of decisions: of those held 70 % sure, are 70 % right?

    >>> table = of_decisions(np.array([0.95, 0.95, 0.75]), np.array([True, False, True]))
    >>> round(table.expected_error, 3)
    0.383
    """
    return _table(_binned(probabilities, are_right))


def _binned(
    held: Float[np.ndarray, " frame"], truth: Bool[np.ndarray, " frame"]
) -> Float[np.ndarray, "count bin"]:
    """Frames, true ones, and the sum of posteriors in each bin."""
    place = np.searchsorted(_EDGES, held, side="right")
    weights = (None, truth, held)
    return np.stack([np.bincount(place, weight, N_BINS).astype(float) for weight in weights])


def _table(counts: Float[np.ndarray, "count bin"]) -> Calibration:
    n_frames, n_true, posterior_sum = counts
    return Calibration(
        tuple(
            Bin(
                place / N_BINS,
                (place + 1) / N_BINS,
                int(n_frames[place]),
                int(n_true[place]),
                float(posterior_sum[place]),
            )
            for place in range(N_BINS)
        )
    )
