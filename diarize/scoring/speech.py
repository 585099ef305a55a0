"""What became of the reference's speech: missed, correct; and whether the speakers were counted.

Shares of the components that `scoring.diarization.DiarizationErrorRate` returns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def missed_speech_rate(components: Mapping[str, float]) -> float:
    """Return missed detection over total reference speech, 0 to 1; 0 where nobody speaks.

    Two who speak at once are twice the speech, so the second voice of an overlap is missed
    when only one is found.

    Source: Boukun and Lücke, "Disentanglement of Sources in a Multi-Stream Variational
    Autoencoder", 2025 (arXiv 2510.15669), whose evaluation takes it from pyannote.metrics.

    >>> missed_speech_rate({"missed detection": 3.0, "total": 12.0})
    0.25
    """
    return components["missed detection"] / components["total"] if components["total"] else 0.0


def correct_share(components: Mapping[str, float]) -> float:
    """Return the share of reference speech given to the right speaker; NaN where nobody speaks.

    The "correct" of the same paper: one less the missed speech rate less confusion's share.
    """
    return components["correct"] / components["total"] if components["total"] else math.nan


@dataclass(frozen=True)
class SpeakerCount:
    """How many speakers there are and were found, among those heard in the scored regions."""

    n_reference: int
    n_hypothesis: int

    @property
    def error(self) -> int:
        """Found less true: above 0 when there are too many."""
        return self.n_hypothesis - self.n_reference


def exact_share(counts: Sequence[SpeakerCount]) -> float:
    """Return the share of recordings whose number of speakers is right; NaN without any."""
    return sum(count.error == 0 for count in counts) / len(counts) if counts else math.nan


def mean_count_error(counts: Sequence[SpeakerCount]) -> float:
    """Return the mean over recordings of how many speakers too many or too few; NaN without any."""
    return sum(abs(count.error) for count in counts) / len(counts) if counts else math.nan
