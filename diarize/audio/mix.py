"""Putting sounds together: gains, noise at a ratio, rooms, telephones, microphones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from diarize.audio.energy import active_level_dbfs
from diarize.audio.frames import to_samples
from diarize.errors import BadCall


def gain(gain_db: float) -> float:
    """The factor that `gain_db` decibels stand for.

    >>> gain(-20.0)
    0.1
    """
    return float(10 ** (gain_db / 20))


def at_level(
    samples: Float[np.ndarray, " time"], rate_hz: int, level_dbfs: float
) -> Float32[np.ndarray, " time"]:
    """`samples` with an active level of `level_dbfs`; silence stays silence."""
    now_dbfs = active_level_dbfs(samples, rate_hz)
    factor = gain(level_dbfs - now_dbfs) if now_dbfs > -100 else 1.0
    return (samples * factor).astype(np.float32)


def add_noise(
    speech: Float[np.ndarray, " time"],
    noise: Float[np.ndarray, " noise_time"],
    snr_db: float,
    rate_hz: int,
) -> Float32[np.ndarray, " time"]:
    """`speech` with `noise` under it, which is repeated to its length.

    The ratio is that of the speech's active level (pauses left out) to the noise's mean power.

    Raises:
        BadCall: a noise of no samples or without any sound.
    """
    if not len(noise) or not noise.any():
        raise BadCall("add_noise: the noise is silent; expected some sound")
    under = np.resize(noise, len(speech))
    noise_dbfs = 10 * np.log10(np.mean(np.square(noise, dtype=np.float64)))
    factor = gain(active_level_dbfs(speech, rate_hz) - snr_db - float(noise_dbfs))
    return (speech + factor * under).astype(np.float32)


def reverberate(
    samples: Float[np.ndarray, " time"], response: Float[np.ndarray, " response_time"]
) -> Float32[np.ndarray, " time"]:
    """`samples` as heard in the room of `response`, of the same length and loudness.

    The response begins at its strongest sample, the direct path, so that nothing is late; what
    rings on after the last sample is cut.

    Raises:
        BadCall: a response of no samples or of zeros.
    """
    from scipy.signal import oaconvolve

    if not len(response) or not response.any():
        raise BadCall("reverberate: the room response is silent; expected an impulse and its echo")
    tail = response[int(np.argmax(np.abs(response))) :]
    wet = oaconvolve(samples, tail)[: len(samples)]
    dry_power, wet_power = np.mean(np.square(samples)), np.mean(np.square(wet))
    factor = np.sqrt(dry_power / wet_power) if wet_power > 0 else 1.0
    return (wet * factor).astype(np.float32)


def room_response(
    reverberation_s: float, direct_db: float, rate_hz: int, generator: np.random.Generator
) -> Float32[np.ndarray, " response_time"]:
    """An artificial room: a direct path, then noise that has decayed by 60 dB after that time.

    `direct_db` is the power of the direct path over that of everything after it. The noise
    begins 2 ms after the direct path, and loses its highs as air and walls would take them.
    """
    time_s = np.arange(to_samples(reverberation_s, rate_hz)) / rate_hz
    echo = generator.normal(size=len(time_s)) * 10 ** (-3 * time_s / reverberation_s)
    echo[: to_samples(0.002, rate_hz)] = 0
    echo[1:] = 0.6 * echo[1:] + 0.4 * echo[:-1]
    echo /= np.sqrt(np.sum(np.square(echo)) + 1e-12)
    response = gain(-direct_db) * echo
    response[0] = 1.0
    return response.astype(np.float32)


def telephone(
    samples: Float[np.ndarray, " time"], rate_hz: int, low_hz: float = 300, high_hz: float = 3400
) -> Float32[np.ndarray, " time"]:
    """`samples` between two frequencies, by default a telephone's, without delay."""
    from scipy.signal import butter, sosfiltfilt

    band = butter(3, [low_hz, high_hz], btype="bandpass", fs=rate_hz, output="sos")
    return sosfiltfilt(band, samples, padlen=min(64, len(samples) - 1)).astype(np.float32)


def companded(samples: Float[np.ndarray, " time"]) -> Float32[np.ndarray, " time"]:
    """`samples` of full scale 1 as 8 bits of a mu-law line carry them.

    Source: ITU-T G.711, its continuous form with mu = 255.

    >>> [round(float(one), 3) for one in companded(np.array([0.0, 0.5, 1.0]))]
    [0.0, 0.495, 1.0]
    """
    loudness = np.log1p(255 * np.abs(samples).clip(0, 1)) / np.log(256)
    steps = np.round(127 * loudness) / 127
    return (np.sign(samples) * np.expm1(steps * np.log(256)) / 255).astype(np.float32)


def equalised(
    samples: Float[np.ndarray, " time"], rate_hz: int, gains_db: Float[np.ndarray, " octave"]
) -> Float32[np.ndarray, " time"]:
    """`samples` with a gain for each octave from 125 Hz on, between them straight lines.

    Below and above, the outermost gains hold. The phase is as it was.
    """
    spectrum = np.fft.rfft(samples)
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    octave = np.log2(np.maximum(frequency_hz, 1.0) / 125)
    curve_db = np.interp(octave, np.arange(len(gains_db)), gains_db)
    return np.fft.irfft(spectrum * 10 ** (curve_db / 20), len(samples)).astype(np.float32)


def coloured_noise(
    n_samples: int, slope_db_per_octave: float, generator: np.random.Generator
) -> Float32[np.ndarray, " time"]:
    """Noise with a mean power of 1 whose spectrum falls by that slope: 0 white, -3 pink."""
    spectrum = np.fft.rfft(generator.normal(size=n_samples))
    frequency = np.arange(len(spectrum))
    # under 30 bins the slope would put all power into a rumble
    shape = np.maximum(frequency, max(30, n_samples // 800)) ** (slope_db_per_octave / 6.0206)
    noise = np.fft.irfft(spectrum * shape, n_samples)
    return (noise / np.sqrt(np.mean(np.square(noise)) + 1e-12)).astype(np.float32)
