"""The modified discrete cosine transform: as many numbers as samples, exactly inverted."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.errors import BadCall


class MDCT:
    """Frames of `2 * hop` samples under a sine window, `hop` apart, as `hop` numbers each.

    The transform keeps energy: what is changed in the numbers changes the sound by as much.
    Source: Princen and Bradley, "Analysis/synthesis filter bank design based on time domain
    aliasing cancellation", 1986.
    """

    def __init__(self, hop: int) -> None:
        if hop < 2 or hop % 2:
            raise BadCall(f"hop = {hop}; an even number would be right")
        self.hop = hop
        at = torch.arange(hop, dtype=torch.float64) + 0.5
        self._cosines = (math.sqrt(2 / hop) * torch.cos(math.pi / hop * at[:, None] * at)).float()
        wide = torch.arange(2 * hop, dtype=torch.float64) + 0.5
        self._window = torch.sin(math.pi / (2 * hop) * wide).float()

    def n_frames(self, n_samples: int) -> int:
        """How many frames so many samples take."""
        return -(-n_samples // self.hop) + 1

    def forward(self, sound: Float[Tensor, "batch time"]) -> Float[Tensor, "batch frame number"]:
        """The numbers of each frame, the lowest frequency first."""
        n_frames, hop = self.n_frames(sound.shape[1]), self.hop
        room = (n_frames + 1) * hop - sound.shape[1]
        padded = torch.nn.functional.pad(sound, (hop, room - hop))
        frames = padded.unfold(1, 2 * hop, hop) * self._window.to(sound)
        first, second, third, fourth = frames.chunk(4, 2)
        folded = torch.cat([-third.flip(2) - fourth, first - second.flip(2)], 2)
        return folded @ self._cosines.to(sound)

    def inverse(
        self, numbers: Float[Tensor, "batch frame number"], n_samples: int
    ) -> Float[Tensor, "batch time"]:
        """The sound of these numbers, the first `n_samples` of it."""
        hop, (batch, n_frames, _) = self.hop, numbers.shape
        one, two = (numbers @ self._cosines.to(numbers)).chunk(2, 2)
        frames = torch.cat([two, -two.flip(2), -one.flip(2), -one], 2) * self._window.to(numbers)
        sound = numbers.new_zeros(batch, (n_frames + 1) * hop)
        sound[:, : n_frames * hop] += frames[:, :, :hop].reshape(batch, -1)
        sound[:, hop:] += frames[:, :, hop:].reshape(batch, -1)
        return sound[:, hop : hop + n_samples]
