"""How bright moments of mixtures are: by that some of a training's windows are chosen.

Few moments of a song have one instrument alone, and those are what a separator without labels
learns most from. Of drums and bass, the moments with hardly anything above some kHz are mostly bass
alone. That is measured on the mixture; which stem sounds when is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from diarize.config import at_least, at_most
from diarize.errors import BadCall

N_FFT = 1024  # samples to a spectrum, one after the other
FAINTEST_RMS = 0.01  # of a window that counts


@dataclass(frozen=True)
class Brightness:
    """Which windows are drawn for being dark or bright, of those that are of one song and moment.

    How bright one is: the share of its energy above `above_hz`. All windows of the part are
    measured, one every half of their length; those with a root mean square below 0.01 do not count.

    Attributes:
        dark, bright: of windows drawn, the shares that are of the darkest, and of the brightest.
        darkest, brightest: the shares of all windows that count as such.
        above_hz: from which frequency on sound is bright.
    """

    dark: float = 0.0
    bright: float = 0.0
    darkest: float = 0.01
    brightest: float = 0.1
    above_hz: float = 4000.0

    def __post_init__(self) -> None:
        at_least(self, dark=0, bright=0, above_hz=0)
        at_most(self, darkest=1, brightest=1)
        if self.dark + self.bright > 1:
            raise BadCall(f"dark + bright = {self.dark + self.bright}; expected at most 1")
        if not self.darkest > 0 or not self.brightest > 0:
            raise BadCall(
                f"darkest = {self.darkest}, brightest = {self.brightest}; expected above 0"
            )

    @property
    def is_used(self) -> bool:
        """Whether any window is drawn by it."""
        return self.dark + self.bright > 0


@dataclass(frozen=True)
class Moments:
    """Windows from the darkest to the brightest: of which song (by number), from which sample."""

    song: Int[np.ndarray, " window"]
    start: Int[np.ndarray, " window"]

    def drawn(self, settings: Brightness, chance: np.random.Generator) -> tuple[int, int] | None:
        """A song and sample of the darkest or brightest, or None: it is to be drawn of all."""
        at, count = chance.random(), len(self.song)
        if at < settings.dark:
            number = int(chance.integers(max(1, round(settings.darkest * count))))
        elif at < settings.dark + settings.bright:
            number = count - 1 - int(chance.integers(max(1, round(settings.brightest * count))))
        else:
            return None
        return int(self.song[number]), int(self.start[number])


def moments_of(
    mixtures: Iterable[Float32[np.ndarray, " _time"]], rate_hz: int, n_samples: int, above_hz: float
) -> Moments:
    """All windows of `n_samples` that sound, from the darkest to the brightest.

    Raises:
        BadCall: none sounds.
    """
    songs, starts, shares = [], [], []
    n_frames = max(1, n_samples // N_FFT)
    step = max(1, n_frames // 2)
    for number, mixture in enumerate(mixtures):
        energy, high = _energies(mixture, rate_hz, above_hz)
        first = np.arange(0, len(energy) - n_frames + 1, step)
        first = first[first * N_FFT + n_samples <= len(mixture)]
        total = _sums(energy, first, n_frames)
        sounds = total >= FAINTEST_RMS**2 * n_frames * N_FFT
        shares.append(_sums(high, first, n_frames)[sounds] / total[sounds])
        starts.append(first[sounds] * N_FFT)
        songs.append(np.full(int(sounds.sum()), number))
    every = np.concatenate(shares) if shares else np.zeros(0)
    if not len(every):
        raise BadCall(f"brightness: no window of {n_samples} samples sounds")
    order = np.argsort(every, kind="stable")
    return Moments(np.concatenate(songs)[order], np.concatenate(starts)[order])


def _energies(
    mixture: Float32[np.ndarray, " time"], rate_hz: int, above_hz: float
) -> tuple[Float[np.ndarray, " frame"], Float[np.ndarray, " frame"]]:
    """Of each run of `N_FFT` samples its energy, and that of what lies above `above_hz`."""
    runs = mixture[: len(mixture) // N_FFT * N_FFT].reshape(-1, N_FFT)
    spectra = np.fft.rfft(runs * np.hanning(N_FFT).astype(np.float32), axis=1)
    power = np.square(np.abs(spectra)) * (2 / N_FFT / 0.375)
    first = round(above_hz * N_FFT / rate_hz)
    return power.sum(1), power[:, first:].sum(1)


def _sums(
    values: Float[np.ndarray, " frame"], first: Int[np.ndarray, " window"], n_frames: int
) -> Float[np.ndarray, " window"]:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[first + n_frames] - total[first])
