"""Spectrograms of a song, its stems, and what was made of them, one under the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.signal import ShortTimeFFT, get_window

from diarize.errors import BadCall
from diarize.viz.timeline import DOTS_PER_IN, drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE, HOP = 1024, 256  # samples
RANGE_DB = 80.0  # below the loudest bin of the mixture
WIDE_IN, HIGH_IN = 4.5, 1.3
COLOURS = "magma"

Sounds = Mapping[str, Float[np.ndarray, " time"]]


def spectrogram_db(samples: Float[np.ndarray, " time"]) -> Float[np.ndarray, "frequency frame"]:
    """The power in each bin, in dB; Hann windows of 1024 samples every 256."""
    padded = np.pad(samples.astype(np.float64), (0, max(SIZE - len(samples), 0)))
    transform = ShortTimeFFT(get_window("hann", SIZE), HOP, fs=1.0)
    return np.asarray(10 * np.log10(np.abs(transform.stft(padded)) ** 2 + 1e-12))


def stem_spectrograms(true: Sounds, found: Sounds, rate_hz: int) -> Figure:
    """Return a figure: true stems on the left, found ones on the right, their sums above.

    All share one scale, from the loudest bin of the mixture down by 80 dB.

    Raises:
        BadCall: no stems, or stems found that there are not.
    """
    from matplotlib.figure import Figure

    if not true or set(found) != set(true):
        raise BadCall(f"stems {', '.join(found) or 'none'}; expected {', '.join(true) or 'some'}")
    mixture = np.sum(list(true.values()), axis=0)
    rows = {"mixture": (mixture, np.sum(list(found.values()), axis=0))}
    rows |= {name: (true[name], found[name]) for name in true}
    top_db = float(spectrogram_db(mixture).max())
    figure = Figure(
        figsize=(2 * WIDE_IN, HIGH_IN * len(rows) + 0.6), dpi=DOTS_PER_IN, layout="constrained"
    )
    axes = figure.subplots(len(rows), 2, squeeze=False, sharex=True, sharey=True)
    duration_s = len(mixture) / rate_hz
    for row, (name, pair) in zip(axes, rows.items(), strict=True):
        for place, samples in zip(row, pair, strict=True):
            image = place.imshow(
                spectrogram_db(samples),
                origin="lower",
                aspect="auto",
                cmap=COLOURS,
                vmin=top_db - RANGE_DB,
                vmax=top_db,
                extent=(0, duration_s, 0, rate_hz / 2000),
            )
        row[0].set_ylabel(f"{drawable(name)}\nkHz")
    axes[0][0].set_title("true")
    axes[0][1].set_title("found (above: their sum)")
    for place in axes[-1]:
        place.set_xlabel("s")
    figure.colorbar(image, ax=axes, label="dB", shrink=0.6)
    return figure
