"""Changing the sample rate, whole or block by block, with the same result either way."""

from __future__ import annotations

import numpy as np
import soxr
from jaxtyping import Float, Float32

from diarize.errors import BadCall

QUALITY = "HQ"  # soxr's 20-bit setting: stop band below -100 dB, well under any microphone's noise
LOWEST_HZ, HIGHEST_HZ = 1_000, 768_000
SPEED_STEPS = 10_000  # to which a speed is rounded, a unit of it


class Resampler:
    """Resamples one channel given in consecutive blocks.

    The blocks of the answer, laid end to end, equal resampling the whole at once (to float32
    rounding): neither the block length nor where it cuts leaves a trace.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        check_rate(from_hz)
        check_rate(to_hz)
        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=QUALITY)
        )

    def push(self, block: Float[np.ndarray, " time"]) -> Float32[np.ndarray, " resampled"]:
        """What can be said so far at the new rate; soxr keeps a few milliseconds back."""
        return self._run(block, last=False)

    def finish(self) -> Float32[np.ndarray, " resampled"]:
        """The rest, once every block has been pushed."""
        return self._run(np.zeros(0, np.float32), last=True)

    def _run(
        self, block: Float[np.ndarray, " time"], last: bool
    ) -> Float32[np.ndarray, " resampled"]:
        block = np.ascontiguousarray(block, dtype=np.float32)
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), dtype=np.float32)


def resample(
    samples: Float[np.ndarray, " time"], from_hz: int, to_hz: int
) -> Float32[np.ndarray, " resampled"]:
    """One channel at `to_hz`; its length is that of the input times `to_hz / from_hz`, rounded.

    Raises:
        BadCall: a rate outside 1 kHz to 768 kHz.

    >>> resample(np.zeros(48, np.float32), 48_000, 16_000).shape
    (16,)
    """
    stream = Resampler(from_hz, to_hz)
    return np.concatenate([stream.push(samples), stream.finish()])


def at_speed(samples: Float[np.ndarray, " time"], speed: float) -> Float32[np.ndarray, " changed"]:
    """One channel `speed` times as fast, pitch with it, as a tape is; so much shorter.

    `1 / speed` takes it back. Speeds are rounded to ten-thousandths, those above 1 of their
    inverse, so that there and back is the same ratio.

    Raises:
        BadCall: a speed outside 1/10 to 10.

    >>> at_speed(np.zeros(300, np.float32), 1.5).shape
    (200,)
    """
    if not 0.1 <= speed <= 10:
        raise BadCall(f"a speed of {speed:g}; 0.1 to 10 would be right")
    if speed < 1:
        return resample(samples, round(SPEED_STEPS * speed), SPEED_STEPS)
    return resample(samples, SPEED_STEPS, round(SPEED_STEPS / speed))


def check_rate(rate_hz: int) -> None:
    """Refuse a sample rate no recording has.

    Raises:
        BadCall: it is outside 1 kHz to 768 kHz.
    """
    if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        raise BadCall(f"sample rate {rate_hz} Hz: expected {LOWEST_HZ} to {HIGHEST_HZ} Hz")
