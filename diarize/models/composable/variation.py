"""Sounds made to differ from what they were: speed and colour, as other players have others."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

N_WAVES = 4  # of which a colour is made: half waves over the octaves
LOWEST_HZ = 40.0  # below which a colour changes no more


def varied(
    sound: Float[Tensor, "row time"],
    drawn: Float[Tensor, "row number"],
    rate_hz: int,
    speed: float,
    shape_db: float,
) -> Float[Tensor, "row time"]:
    """The sounds faster or slower, pitch and all, and with another balance of frequencies.

    `drawn` are `n_drawn()` uniform numbers a row, 0 to 1. The fastest is `1 + speed` times as fast,
    the slowest goes as much more slowly; the balance is a smooth curve over the octaves that is at
    most `shape_db` from nothing. What is too short begins anew.
    """
    n_samples = sound.shape[1]
    rows = []
    for row, numbers in zip(sound, drawn, strict=True):
        spectrum = torch.fft.rfft(row)
        if shape_db:
            spectrum = spectrum * _colour(numbers[1:], len(spectrum), rate_hz, shape_db)
        factor = (1 + speed) ** float(2 * numbers[0] - 1)
        length = max(1, round(n_samples / factor))
        changed = torch.fft.irfft(_cut(spectrum, length // 2 + 1), length) * (length / n_samples)
        times = -(-n_samples // length)
        rows.append(changed.repeat(times)[:n_samples])
    return torch.stack(rows)


def n_drawn() -> int:
    """How many uniform numbers `varied` takes for a row."""
    return 1 + N_WAVES


def _colour(numbers: Tensor, n_bins: int, rate_hz: int, shape_db: float) -> Tensor:
    """Factors of a curve over the logarithm of frequency."""
    hz = torch.linspace(0, rate_hz / 2, n_bins).clamp(min=LOWEST_HZ)
    octaves = (hz / LOWEST_HZ).log() / torch.tensor(rate_hz / 2 / LOWEST_HZ).log()
    order = torch.arange(1, N_WAVES + 1)[:, None]
    waves = torch.cos(torch.pi * order * octaves) / order
    curve = ((2 * numbers[:, None] - 1) * waves).sum(0)
    most = (1 / order).sum()
    return 10 ** (shape_db * curve / most / 20)


def _cut(spectrum: Tensor, n_bins: int) -> Tensor:
    short = n_bins - len(spectrum)
    return torch.nn.functional.pad(spectrum, (0, short)) if short > 0 else spectrum[:n_bins]
