"""How sure a separator is that draws: how far its samples of a song lie apart, second by second."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from diarize.formats.text import save_text

COLUMNS = ("second", "component", "level_db", "spread_db")
_FAINTEST = 1e-12


class SpreadTrack:
    """Energies of the mean of several samples, and around it, a second and component.

    Fed window by window; where windows overlap, both count. Holds two numbers a second.
    """

    def __init__(self, names: tuple[str, ...], rate_hz: int, hop: int) -> None:
        """`hop` is how many samples after the last one each window begins."""
        self.names, self.rate_hz, self.hop = names, rate_hz, hop
        self._at = 0
        self._sums: dict[int, Float32[np.ndarray, "3 source"]] = {}

    def add(self, samples: Float32[np.ndarray, "sample source channel time"]) -> None:
        """Take in what was drawn of the next window."""
        mean = samples.mean(0)
        power = np.square(mean).mean(1)
        around = samples.var(0).mean(1)
        n_samples = mean.shape[2]
        for second in range(
            self._at // self.rate_hz, (self._at + n_samples - 1) // self.rate_hz + 1
        ):
            start = max(0, second * self.rate_hz - self._at)
            end = min(n_samples, (second + 1) * self.rate_hz - self._at)
            here = np.stack(
                [
                    power[:, start:end].sum(1),
                    around[:, start:end].sum(1),
                    np.full(len(mean), end - start, np.float32),
                ]
            )
            self._sums[second] = self._sums.get(second, 0) + here
        self._at += self.hop

    def rows(self) -> list[tuple[int, str, float, float]]:
        """Second, component, its level below full scale, and how far samples lie from their mean.

        The latter is the power of the deviation over that of the mean, in dB: 0 says that nothing
        is known, -20 that a tenth of the amplitude is chance.
        """
        found = []
        for second, (power, around, count) in sorted(self._sums.items()):
            level_db = 10 * np.log10(power / count + _FAINTEST)
            spread_db = 10 * np.log10((around + _FAINTEST) / (power + _FAINTEST))
            for name, level, spread in zip(self.names, level_db, spread_db, strict=True):
                found.append((second, name, round(float(level), 2), round(float(spread), 2)))
        return found

    def save(self, path: Path) -> None:
        """Write the rows as CSV, with a line of names first."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self.rows())
        save_text(path, text.getvalue())
