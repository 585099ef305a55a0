"""How many speakers there are: sets of voices are tried, and each is judged by what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall
from diarize.features.segmentation import HOP_S
from diarize.inference.cluster import SpeakerBounds, SpeakerSet
from diarize.inference.scenes import Cast

LEAST_S = 0.02
FAINT = 0.02  # how sure the model is of somebody who says nothing
NOBODY_LIKE = -0.6  # how alike voices count as being where there is only one
NOBODY_LEFT = 0.3  # the same where no greater set was found


@dataclass(frozen=True)
class CountEvidence:
    """What speaks for a set to be all the people of a recording, or against it.

    Attributes:
        more, fewer: voices than seem to be different people, 0 or more.
        alike: of the two that are most alike, by how much more so than two people are.
        parted: the same of the set with one voice more: high where that one parts a person in two.
        least_expected_s: log of the seconds that who talks least is expected to talk.
        least_sure: log of how sure the model is of whom it is least sure, at most 0.
        rival: the greatest cosine of two voices, at least 0.
        unexplained: share of all speech that nobody of the set is found to say.
    """

    more: float
    fewer: float
    alike: float
    parted: float
    least_expected_s: float
    least_sure: float
    rival: float
    unexplained: float


@dataclass(frozen=True)
class CountSettings:
    """What a unit of each kind of evidence adds to the log odds of a set; see `CountEvidence`.

    The defaults are those that `recipes/diarization/fit_counts.py` finds on simulated conversations
    of the development part.
    """

    more: float = -0.2
    fewer: float = -1.3
    alike: float = 0.8
    parted: float = 1.6
    least_expected_s: float = 0.3
    least_sure: float = 3.0
    rival: float = 0.4
    unexplained: float = -3.2

    def log_odds(self, found: CountEvidence) -> float:
        """Of a set of which that is the evidence, up to what is common to all sets."""
        return float(np.dot(astuple(self), astuple(found)))


def number_that_seems(sets: Sequence[SpeakerSet]) -> int:
    """How many people there seem to be, by how alike the voices are alone; 0 without sets."""
    return max((len(one) for one in sets if one.all_differ), default=min(1, len(sets)))


def sets_to_try(
    sets: Sequence[SpeakerSet], bounds: SpeakerBounds, fewer: int = 1, more: int = 2
) -> list[int]:
    """Which of `sets`, sorted by size from one on, are worth trying: those around what it seems.

    They keep to `bounds`, or come as near as there are sets.
    """
    if not sets:
        return []
    seem = number_that_seems(sets)
    low, high = (int(np.clip(seem + by, bounds.least, bounds.most)) for by in (-fewer, more))
    first = min(max(low, 1), len(sets))
    return list(range(first - 1, min(max(high, 1), len(sets))))


def evidence(
    sets: Sequence[SpeakerSet],
    which: int,
    cast: Cast,
    presence: Float[np.ndarray, "speaker frame"],
    speech: Float[np.ndarray, " frame"],
) -> CountEvidence:
    """What speaks for set `which`, given who of it was found to talk when.

    `speech` is P(anyone talks), whoever that is.
    """
    beyond = len(sets[which]) - number_that_seems(sets)
    following = sets[which + 1].alike.max() if which + 1 < len(sets) else NOBODY_LEFT
    expected_s = presence.sum(axis=1, dtype=np.float64) * HOP_S
    sure_s = np.square(presence, dtype=np.float64).sum(axis=1) * HOP_S
    sure = np.maximum(sure_s / np.maximum(expected_s, LEAST_S), FAINT)
    cosine = np.tril(cast.profile @ cast.profile.T, -1)
    nobody = np.prod(1.0 - presence, axis=0)
    return CountEvidence(
        more=float(max(0, beyond)),
        fewer=float(max(0, -beyond)),
        alike=max(NOBODY_LIKE, float(sets[which].alike.max())),
        parted=float(following),
        least_expected_s=float(np.log(np.maximum(expected_s, LEAST_S)).min()),
        least_sure=float(np.log(sure).min()),
        rival=float(cosine.max(initial=0.0)),
        unexplained=float((speech * nobody).sum() / max(speech.sum(), 1.0)),
    )


def number_posterior(
    found: Mapping[int, CountEvidence], settings: CountSettings
) -> dict[int, float]:
    """How probable each number of people is, of those that were tried.

    Raises:
        BadCall: none was.
    """
    if not found:
        raise BadCall("no set of voices was tried; one at least is wanted")
    odds = np.array([settings.log_odds(one) for one in found.values()])
    weight = np.exp(odds - odds.max())
    return dict(zip(found, (weight / weight.sum()).tolist(), strict=True))
