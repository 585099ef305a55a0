"""How many speakers there are: how probable each voice that was tried is a person of his own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall
from diarize.features.segmentation import HOP_S
from diarize.inference.scenes import Cast

KINDS = ("log_expected_s", "log_sure_s", "rival", "alike", "log_heard_s", "constant")
LEAST_S = 0.02


@dataclass(frozen=True)
class CountSettings:
    """What each kind of evidence adds to the log odds that a voice is somebody; see `evidence`.

    The defaults are those that `recipes/diarization/calibrate.py` fits on simulated conversations
    of the development part.
    """

    log_expected_s: float = 1.5
    log_sure_s: float = 0.0
    rival: float = -2.0
    alike: float = 0.0
    log_heard_s: float = 0.0
    constant: float = 1.0

    @property
    def weights(self) -> Float[np.ndarray, " kind"]:
        """In the order of `KINDS`."""
        return np.array([getattr(self, kind) for kind in KINDS])


def evidence(
    cast: Cast, alike: Float[np.ndarray, " speaker"], presence: Float[np.ndarray, "speaker frame"]
) -> Float[np.ndarray, "speaker kind"]:
    """What there is to be said for each voice of a cast to be a person of his own.

    Seconds that he is expected to talk; those of them of which the model is sure (presence
    squared); how like he is to a voice of whom more was heard (cosine, at least 0), and by how much
    more than two people are (see `cluster.SpeakerSet`); seconds that his profile rests on. Seconds
    as logarithms.
    """
    expected_s = presence.sum(axis=1, dtype=np.float64) * HOP_S
    sure_s = np.square(presence, dtype=np.float64).sum(axis=1) * HOP_S
    cosine = cast.profile @ cast.profile.T
    is_greater = cast.heard_s[None, :] > cast.heard_s[:, None]
    rival = np.where(is_greater, cosine, 0.0).max(axis=1, initial=0.0).clip(0.0)
    logs = (np.log(np.maximum(seconds, LEAST_S)) for seconds in (expected_s, sure_s, cast.heard_s))
    log_expected, log_sure, log_heard = logs
    constant = np.ones(len(cast))
    return np.stack([log_expected, log_sure, rival, alike, log_heard, constant], axis=1)


def somebody(
    found: Float[np.ndarray, "speaker kind"], settings: CountSettings
) -> Float[np.ndarray, " speaker"]:
    """The probability that each voice is a person of his own."""
    return 1 / (1 + np.exp(-np.clip(found @ settings.weights, -30, 30)))


def number_posterior(
    probability: Float[np.ndarray, " speaker"], least: int = 0, most: int | None = None
) -> dict[int, float]:
    """How probable each number of people is, each voice being one or none by itself.

    Only numbers from `least` to `most` can be; where no voice is left for `least`, all are people.

    >>> {number: round(p, 2) for number, p in number_posterior(np.array([0.9, 0.5])).items()}
    {0: 0.05, 1: 0.5, 2: 0.45}

    Raises:
        BadCall: a least number above the most.
    """
    most = len(probability) if most is None else most
    if least > most:
        raise BadCall(f"at least {least} speakers and at most {most}; the least is greater")
    chance = np.ones(1)
    for one in probability:
        chance = np.convolve(chance, [1 - one, one])
    least = min(least, len(probability))
    allowed = {
        number: float(chance[number]) for number in range(least, min(most, len(chance) - 1) + 1)
    }
    total = sum(allowed.values())
    if not total:  # beyond the last digit of what is allowed
        return {number: float(number == least) for number in allowed}
    return {number: chance / total for number, chance in allowed.items()}
