"""Songs taken into components without names by blind methods, which hear the whole song at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32
from scipy.signal import ShortTimeFFT, get_window

from diarize.corpora.chance import generator_of
from diarize.errors import BadCall, BadFile
from diarize.inference.separate import Progress
from diarize.inference.separate_input import Song
from diarize.inference.separate_stream import Piece
from diarize.inference.separate_sum import summed
from diarize.models.baselines.blind import BLIND

WINDOW_S = 0.093  # of the spectrogram: 2048 samples at 22,050 Hz
MOST_COMPONENTS = 8
MOST_S = 600.0  # of a song: all of it is in memory, several times over


@dataclass(frozen=True)
class BlindSettings:
    """How a song is taken apart without anything learned.

    Attributes:
        model: "nmf", "hpss" (two components), or "random", see `models.baselines.blind`.
        components: how many.
        seed: of what is left to chance; a song hangs on nothing else.
        sum_to_mix: whether stems add up to the mixture exactly, to the last bit of a file; nearly
            they do anyway.
    """

    model: Literal["nmf", "hpss", "random"] = "nmf"
    components: int = 2
    seed: int = 0
    sum_to_mix: bool = False

    def __post_init__(self) -> None:
        if self.model not in BLIND:
            raise BadCall(f"model = {self.model!r}; expected one of {', '.join(BLIND)}")
        if not 1 <= self.components <= MOST_COMPONENTS:
            raise BadCall(f"components = {self.components}; expected 1 to {MOST_COMPONENTS}")
        if self.model == "hpss" and self.components != 2:
            raise BadCall(f"components = {self.components}; hpss gives 2: lasting and striking")


class BlindSeparator:
    """Does what `Separator` does, for `separate_all`; its stems are component_1, component_2 ..."""

    def __init__(self, settings: BlindSettings) -> None:
        self.settings = settings
        self.stems = tuple(f"component_{n}" for n in range(1, settings.components + 1))

    def stream(
        self, song: Song, progress: Progress | None = None, subtype: str = "float32"
    ) -> Iterator[Piece]:
        """All components in one piece, for shares are learned of the whole song.

        Raises:
            BadFile: a song too long for that, or one that cannot be read.
        """
        mixture = _whole(song)
        piece = Piece(mixture, self._components(mixture, song.rate_hz))
        if progress is not None:
            progress("separation", 1.0)
        yield summed(piece, subtype) if self.settings.sum_to_mix else piece

    def _components(
        self, mixture: Float32[np.ndarray, "channel time"], rate_hz: int
    ) -> Float32[np.ndarray, "component channel time"]:
        """The components of all channels, by the shares of their mean magnitudes."""
        own = self.settings
        size = max(16, 2 * round(WINDOW_S * rate_hz / 2))
        transform = ShortTimeFFT(get_window("hann", size), size // 4, fs=rate_hz)
        n_samples = mixture.shape[1]
        padded = np.pad(mixture, ((0, 0), (0, max(0, size - n_samples))))
        spectra = transform.stft(padded)
        chance = generator_of(own.seed, own.model)
        magnitudes = np.abs(spectra).mean(axis=0)
        shares = BLIND[own.model](magnitudes, rate_hz, own.components, chance)
        made = np.stack([transform.istft(share * spectra, k1=padded.shape[1]) for share in shares])
        return np.ascontiguousarray(made[..., :n_samples], dtype=np.float32)


def _whole(song: Song) -> Float32[np.ndarray, "channel time"]:
    """All of a song's sound."""
    blocks, n_samples = [], 0
    for block in song.blocks:
        blocks.append(block)
        n_samples += block.shape[1]
        if n_samples > MOST_S * song.rate_hz:
            raise BadFile(
                f"{song.name}: longer than {MOST_S / 60:g} minutes; nmf, hpss and random hear a "
                "song as a whole, so cut it, or take trained weights"
            )
    return np.concatenate(blocks, axis=1)
