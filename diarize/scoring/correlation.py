"""How well the frames of a hypothesis follow those of the reference, speaker by speaker."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from diarize.formats.activity import Activity
from diarize.scoring.frames import Window, activity_row, posterior_row, scored_windows
from diarize.scoring.turns import Turns

DEFINITION = (
    "correlation: per reference speaker, Pearson correlation over the scored 10 ms frames of the "
    "reference's 0/1 activity with the posterior (or 0/1 activity) of the speaker that the "
    "optimal mapping of DER (no collar) gives; mean over reference speakers. No match counts 0; "
    "so does a row that never changes, unless both rows are the same."
)
_STILL = 1e-12  # variance below which a row is taken never to change


def speaker_correlations(
    reference: Turns,
    hypothesis: Turns,
    regions_s: Float[np.ndarray, "region 2"],
    mapping: Mapping[Hashable, Hashable],
    posterior: Activity | None = None,
) -> dict[Hashable, float]:
    """Return each reference speaker's correlation, -1 to 1, with the hypothesis's match.

    Pearson's correlation, over the frames of 10 ms whose centres lie in the scored regions, of
    the reference's activity (1 where the centre lies in a turn, else 0) with the match's
    posterior, or with its activity where there is none. A posterior of another hop is read at
    the frames' centres; before its start and after its end it is 0. A speaker without a match
    counts 0. So does one for whom either row never changes, as the correlation has no meaning
    there; but it is 1 where both rows are the same (somebody who talks throughout, found so).

    Speakers who are not heard in the scored regions have no entry.

    Args:
        reference: who truly spoke when.
        hypothesis: who is said to have.
        regions_s: start and end of what is scored, merged.
        mapping: hypothesis speaker -> reference speaker, one to one.
        posterior: rows for the hypothesis's speakers, by name.

    Raises:
        BadCall: a mapped speaker has no row in the posterior.

    Source: ours; the correlation of arXiv 2510.15669 is not defined in what can be read of it.
    """
    match = {truth: found for found, truth in mapping.items()}
    sums = {label: _Sums() for label in reference.speakers}
    for window, scored in scored_windows(regions_s):
        for label in reference.speakers:
            truth = activity_row(reference, label, window)[scored]
            sums[label].add_reference(truth)
            if label in match:
                sums[label].add(truth, _found(hypothesis, match[label], posterior, window)[scored])
    return {label: total.correlation() for label, total in sums.items() if total.n_active}


@dataclass
class _Sums:
    """Running sums over frames: of the reference x (0 or 1) and the hypothesis y."""

    n_frames: int = 0
    n_active: int = 0
    of: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("y", "yy", "xy"), 0.0))

    def add_reference(self, truth: Bool[np.ndarray, " frame"]) -> None:
        self.n_frames += len(truth)
        self.n_active += int(truth.sum())

    def add(self, truth: Bool[np.ndarray, " frame"], found: Float[np.ndarray, " frame"]) -> None:
        self.of["y"] += float(found.sum())
        self.of["yy"] += float(np.square(found).sum())
        self.of["xy"] += float(found[truth].sum())

    def correlation(self) -> float:
        mean_x = self.n_active / self.n_frames
        mean_y = self.of["y"] / self.n_frames
        variance_x = mean_x * (1 - mean_x)
        variance_y = self.of["yy"] / self.n_frames - mean_y**2
        if variance_x <= _STILL or variance_y <= _STILL:
            still = variance_x <= _STILL and variance_y <= _STILL
            return 1.0 if still and abs(mean_x - mean_y) <= _STILL else 0.0
        covariance = self.of["xy"] / self.n_frames - mean_x * mean_y
        return float(np.clip(covariance / math.sqrt(variance_x * variance_y), -1.0, 1.0))


def _found(
    hypothesis: Turns, label: Hashable, posterior: Activity | None, window: Window
) -> Float[np.ndarray, " frame"]:
    if posterior is None:
        return activity_row(hypothesis, label, window).astype(float)
    return posterior_row(posterior, label, window)
