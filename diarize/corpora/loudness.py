"""How loud a sound is to a listener, in LUFS.

Source: ITU-R BS.1770-4, one channel: K-weighting, blocks of 400 ms every 100 ms, gates at -70 LUFS
and 10 LU below the mean of what passes the first. Its filters are given for 48 kHz; those for other
rates are of the same analog shape (as in ffmpeg and libebur128).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter

BLOCK_S = 0.4
STEP_S = 0.1
OFFSET_LU = -0.691
GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0


def loudness(samples: Float[np.ndarray, " time"], rate_hz: int) -> float:
    """The integrated loudness in LUFS; minus infinity of what passes no gate, as silence.

    A sound shorter than a block is taken as one with silence after it.

    >>> time_s = np.arange(48000) / 48000
    >>> round(loudness(np.sin(2 * np.pi * 997 * time_s), 48000), 2)
    -3.01
    """
    weighted = k_weighted(samples.astype(np.float64), rate_hz)
    power = _blocks(weighted**2, rate_hz)
    loud = power[_lufs(power) > GATE_LUFS]
    if not len(loud):
        return -math.inf
    relative = _mean_lufs(loud) + RELATIVE_GATE_LU
    return _mean_lufs(loud[_lufs(loud) > relative])


def k_weighted(samples: Float[np.ndarray, " time"], rate_hz: int) -> Float[np.ndarray, " time"]:
    """The samples as the ear weighs them: a shelf for the head, then a high-pass."""
    for numerator, denominator in (_shelf(rate_hz), _high_pass(rate_hz)):
        samples = lfilter(numerator, denominator, samples)
    return samples


def _lufs(power: Float[np.ndarray, " block"]) -> Float[np.ndarray, " block"]:
    with np.errstate(divide="ignore"):
        return OFFSET_LU + 10 * np.log10(power)


def _mean_lufs(power: Float[np.ndarray, " block"]) -> float:
    return float(_lufs(power.mean(keepdims=True))[0])


def _blocks(power: Float[np.ndarray, " time"], rate_hz: int) -> Float[np.ndarray, " block"]:
    """The mean of each block."""
    size, step = round(BLOCK_S * rate_hz), round(STEP_S * rate_hz)
    if len(power) < size:
        power = np.pad(power, (0, size - len(power)))
    total = np.concatenate([[0.0], np.cumsum(power)])
    starts = np.arange(0, len(power) - size + 1, step)
    return np.maximum(total[starts + size] - total[starts], 0) / size


def _shelf(rate_hz: int) -> tuple[list[float], list[float]]:
    gain_db, quality = 3.999843853973347, 0.7071752369554196
    warped = math.tan(math.pi * 1681.974450955533 / rate_hz)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    first = 1 + warped / quality + warped**2
    numerator = [
        (high + band * warped / quality + warped**2) / first,
        2 * (warped**2 - high) / first,
        (high - band * warped / quality + warped**2) / first,
    ]
    return numerator, [
        1.0,
        2 * (warped**2 - 1) / first,
        (1 - warped / quality + warped**2) / first,
    ]


def _high_pass(rate_hz: int) -> tuple[list[float], list[float]]:
    quality = 0.5003270373238773
    warped = math.tan(math.pi * 38.13547087602444 / rate_hz)
    first = 1 + warped / quality + warped**2
    return [1.0, -2.0, 1.0], [
        1.0,
        2 * (warped**2 - 1) / first,
        (1 - warped / quality + warped**2) / first,
    ]
