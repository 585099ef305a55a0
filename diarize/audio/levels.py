"""How loud a recording is, gathered block by block, and what looks wrong about it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

FULL_SCALE = 1.0 - 2.0**-15  # the largest positive 16-bit sample
CLIPPED_SHARE = 1e-3  # fewer samples than that at full scale are peaks, not clipping
CANCELLED_DB = -20.0


class Levels:
    """Adds up peaks and powers of the blocks of one recording."""

    def __init__(self, n_channels: int) -> None:
        self.n_frames = 0
        self._n_full = 0
        self._peak = 0.0
        self._mono_energy = 0.0
        self._energy: Float[np.ndarray, " channel"] = np.zeros(n_channels)

    def add(
        self, block: Float32[np.ndarray, "time channel"], mono: Float32[np.ndarray, " time"]
    ) -> None:
        """Count one block and its mean over channels."""
        self.n_frames += len(block)
        peak = float(max(block.max(), -block.min()))
        self._peak = max(self._peak, peak)
        if peak >= FULL_SCALE:
            self._n_full += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        if block.shape[1] > 1:
            self._mono_energy += float(np.dot(mono, mono))
            self._energy += np.einsum("tc,tc->c", block, block, dtype=np.float64)

    def notes(self) -> list[str]:
        """What a user should know about these levels: nothing, as a rule."""
        notes = []
        share = self._n_full / max(self.n_frames * len(self._energy), 1)
        if share >= CLIPPED_SHARE:
            notes.append(f"clipped: {100 * share:.1f} % of samples at full scale")
        if self._peak > 2:
            notes.append(f"samples reach {self._peak:.4g} where full scale is 1")
        if self._energy.any() and len(self._energy) > 1:
            silent = [str(i + 1) for i, energy in enumerate(self._energy) if energy == 0]
            if silent:
                notes.append(f"silent: channel {', '.join(silent)} of {len(self._energy)}")
            kept = self._mono_energy / float(self._energy.mean())
            if kept < 10 ** (CANCELLED_DB / 10) / len(self._energy):
                notes.append("channels cancel: their mean holds under 1 % of their power")
        return notes
