"""What a speaker's neighbouring moments say of each moment: people go on talking for a while."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from diarize.errors import BadCall
from diarize.layers.markov import smoothed, switching
from diarize.layers.patterns import all_patterns

LEAST = 1e-5  # no moment is surer than that: one wrong certainty would win over all others


def persistent(
    presence: Float[np.ndarray, "speaker moment"],
    share: Float[np.ndarray, " speaker"],
    mean_s: float,
    hop_s: float,
    evidence: float = 1.0,
) -> Float[np.ndarray, "speaker moment"]:
    """The probability of each speaker to talk, given all moments.

    A moment's own posterior, over the `share` of time that its prior gives each speaker, to the
    power of `evidence` (below 1 where moments share sound), is what is heard there. Speakers
    switch on and off each by himself; one who talks goes on for `mean_s` on average.

    Raises:
        BadCall: nobody goes on for less than two moments.

    >>> heard = np.array([[0.9, 0.9, 0.2, 0.9, 0.9]])
    >>> persistent(heard, np.array([0.5]), mean_s=1.0, hop_s=0.1).round(2)[0].tolist()
    [0.98, 0.99, 0.93, 0.99, 0.98]
    """
    if mean_s < 2 * hop_s:
        raise BadCall(f"mean_s = {mean_s:g}; expected {2 * hop_s:g} or more, two chunks' steps")
    own, usual = np.clip(presence, LEAST, 1 - LEAST), np.clip(share, 0.05, 0.95)[:, None]
    on = torch.from_numpy(evidence * (np.log(own) - np.log(usual)))
    off = torch.from_numpy(evidence * (np.log1p(-own) - np.log1p(-usual)))
    patterns = all_patterns(len(presence)).double()
    heard = patterns @ on + (1 - patterns) @ off  # pattern, moment
    log_share = torch.from_numpy(np.log(usual))[:, 0], torch.from_numpy(np.log1p(-usual))[:, 0]
    heard[:, 0] += patterns @ log_share[0] + (1 - patterns) @ log_share[1]
    mean = float(usual.mean())
    leave = min(hop_s / mean_s, 0.5, 0.5 * (1 - mean) / mean)
    transition = switching(patterns, leave, leave * mean / (1 - mean)).double()
    found, _ = smoothed(heard.T[None], transition)
    return np.asarray((found[0].exp() @ patterns).T.numpy())
