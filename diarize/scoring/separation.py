"""How near a separated source is to the true one, in dB: SI-SDR, SI-SIR, SI-SAR and SDR.

All are plain numbers of two signals: no constant is added that would make a silent source look
well separated. What has no meaning is NaN: every ratio of a silent reference. Perfection is inf.

Source: J. Le Roux, S. Wisdom, H. Erdogan, J. Hershey, "SDR - half-baked or well done?", ICASSP
2019, equations 4 to 9, without removal of means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Signal = Float[np.ndarray, " time"]
MSDM_EPSILON = 1e-8


@dataclass(frozen=True)
class Ratios:
    """Of one estimate, in dB: 10^(-SI-SDR/10) = 10^(-SI-SIR/10) + 10^(-SI-SAR/10)."""

    si_sdr: float
    si_sir: float
    si_sar: float


def si_sdr(reference: Signal, estimate: Signal) -> float:
    """The scale-invariant signal-to-distortion ratio; NaN if the reference is silent.

    A silent estimate of a source that sounds is -inf.

    >>> si_sdr(np.array([1.0, 0.0]), np.array([20.0, 2.0]))
    20.0
    """
    reference, estimate = _double(reference), _double(estimate)
    power = float(reference @ reference)
    if not power:
        return float("nan")
    target = (float(estimate @ reference) / power) * reference
    return _ratio_db(_power(target), _power(estimate - target))


def si_ratios(
    references: Float[np.ndarray, "source time"], estimate: Signal, source: int
) -> Ratios:
    """What is wrong with an estimate of `references[source]`: other sources, and things of its own.

    Interference is what lies in the span of all references, artefacts what does not. All are NaN
    if that reference is silent; silent ones among the others span nothing. (BSS-eval, and
    fast-bss-eval with it, put the interference into the numerator of SI-SAR too.)
    """
    references, estimate = _double(references), _double(estimate)
    sounding = references[np.any(references != 0, axis=1)]
    own = references[source]
    if not own.any():
        return Ratios(*[float("nan")] * 3)
    target = (float(estimate @ own) / float(own @ own)) * own
    gram = sounding @ sounding.T
    weights = np.linalg.lstsq(gram, sounding @ estimate, rcond=None)[0]
    explained = weights @ sounding
    return Ratios(
        _ratio_db(_power(target), _power(estimate - target)),
        _ratio_db(_power(target), _power(explained - target)),
        _ratio_db(_power(target), _power(estimate - explained)),
    )


def sdr(reference: Signal, estimate: Signal) -> float:
    """The plain signal-to-distortion ratio, to which scale matters; NaN if the reference is silent.

    Source: the music demixing challenge 2021 (Y. Mitsufuji et al.), on whole songs and without its
    constant of 1e-7.

    >>> sdr(np.array([1.0, 0.0]), np.array([1.0, 0.1]))
    20.0
    """
    reference, estimate = _double(reference), _double(estimate)
    if not reference.any():
        return float("nan")
    return _ratio_db(_power(reference), _power(reference - estimate))


def msdm_si_sdr(reference: Signal, estimate: Signal) -> float:
    """SI-SDR with 1e-8 added everywhere, as published scores on Slakh2100 have it: never NaN.

    It is of no worth where the reference is silent: there it tells how quiet the estimate is.
    A silent estimate of a source that sounds gets 0 dB.

    Source: the published code of G. Mariani et al., "Multi-source diffusion models" (MSDM), 2023.

    >>> silence, quiet = np.zeros(1000), np.full(1000, 1e-3)
    >>> round(msdm_si_sdr(silence, quiet)), round(msdm_si_sdr(silence, silence))
    (-50, 0)
    """
    reference, estimate = _double(reference), _double(estimate)
    epsilon = MSDM_EPSILON
    scale = (float(estimate @ reference) + epsilon) / (_power(reference) + epsilon)
    target = scale * reference
    ratio = (_power(target) + epsilon) / (_power(estimate - target) + epsilon)
    return float(10 * np.log10(ratio))


def _double(signal: np.ndarray) -> np.ndarray:
    return signal.astype(np.float64)


def _power(signal: np.ndarray) -> float:
    return float(signal @ signal)


def _ratio_db(wanted: float, unwanted: float) -> float:
    if not wanted:
        return float("-inf")
    if not unwanted:
        return float("inf")
    return float(10 * np.log10(wanted / unwanted))
