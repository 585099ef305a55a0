"""Short pieces of a recording as values that nearly add up where voices do: power by frequency.

Power spectra of two voices add up on average, for their phases are independent; any compression
of them adds up the less, the stronger it is, and the better the less both share a frequency.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor
from torch.nn import functional

LEAST_RANGE = 1e-6  # a chunk with less is not blown up any further


@dataclass(frozen=True)
class ChunkSettings:
    """How a chunk becomes values; the defaults are the paper's.

    Attributes:
        n_fft: samples of a frame, under a Hann window.
        hop: samples between frames.
        n_frames: of a chunk.
        hop_frames: between chunks.
        edges: "zeros" pads a chunk's samples with zeros, as the paper does; "sound" takes frames
            that lie in the recording.
        n_mels: mel bands; 0 leaves the n_fft / 2 + 1 linear ones.
        exponent: of the power; 1 is power, .5 magnitude.
        level: "chunk" scales every chunk from 0 to 1, as the paper does, and forgets how loud it
            was; "kept" divides all by one power, that of `full_db` under full scale.
        full_db: see there.

    Source: arXiv 2510.15669's code: power spectrogram of 257 x 17, min-max a chunk.
    """

    n_fft: int = 512
    hop: int = 256
    n_frames: int = 17
    hop_frames: int = 8
    edges: Literal["zeros", "sound"] = "zeros"
    n_mels: int = 0
    exponent: float = 1.0
    level: Literal["chunk", "kept"] = "chunk"
    full_db: float = -10.0

    def __post_init__(self) -> None:
        for name in ("n_fft", "hop", "n_frames", "hop_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}; 1 or more would be right")
        if self.n_mels < 0:
            raise ValueError(f"n_mels = {self.n_mels}; 0 or more would be right")
        if not 0 < self.exponent <= 1:
            raise ValueError(f"exponent = {self.exponent}; above 0 and at most 1 would be right")

    @property
    def n_bands(self) -> int:
        """Values of a frame."""
        return self.n_mels or self.n_fft // 2 + 1

    @property
    def n_values(self) -> int:
        """Values of a chunk."""
        return self.n_bands * self.n_frames

    @property
    def own_samples(self) -> int:
        """Samples between the middles of a chunk's first and last frame."""
        return (self.n_frames - 1) * self.hop

    def n_chunks(self, n_samples: int) -> int:
        """How many chunks it takes to cover so many samples, the last perhaps passing their end."""
        step = self.hop * self.hop_frames
        return max(1, 1 + -(-(n_samples - self.own_samples) // step))


class ChunkedSound:
    """A recording, of which chunk k begins with frame k * hop_frames; frame i is around i * hop.

    Spectra are complex, and so may be added up to those of sounds heard at once.
    """

    def __init__(self, samples: Float[Tensor, " time"], settings: ChunkSettings) -> None:
        self.settings = settings
        self.n_chunks = settings.n_chunks(len(samples))
        n_frames = (self.n_chunks - 1) * settings.hop_frames + settings.n_frames
        n_missing = (n_frames - 1) * settings.hop - len(samples)
        samples = functional.pad(samples, (0, max(n_missing, 0)))
        self._frames: Complex[Tensor, "bin frame"] | None = None
        self._samples: Float[Tensor, " time"] | None = None
        if settings.edges == "sound":
            self._frames = _spectra(samples[None], settings)[0]
        else:
            self._samples = samples

    def spectra(self, chunks: Int[Tensor, " chunk"]) -> Complex[Tensor, "chunk bin frame"]:
        """The spectra of the chunks of these numbers."""
        settings = self.settings
        if self._frames is not None:
            index = (chunks * settings.hop_frames)[:, None] + torch.arange(settings.n_frames)
            return self._frames[:, index].transpose(0, 1)
        assert self._samples is not None
        start = chunks * settings.hop_frames * settings.hop
        samples = self._samples[start[:, None] + torch.arange(settings.own_samples)]
        return _spectra(samples, settings)


def chunk_values(
    spectra: Complex[Tensor, "chunk bin frame"], rate_hz: int, settings: ChunkSettings
) -> Float[Tensor, "chunk value"]:
    """The values of chunks of these spectra: band by band, then by frame."""
    power = spectra.real.square() + spectra.imag.square()
    if settings.n_mels:
        power = torch.matmul(_mel_bands(settings.n_mels, settings.n_fft, rate_hz).T, power)
    values = power.pow(settings.exponent) if settings.exponent != 1 else power
    if settings.level == "chunk":
        least, most = values.amin((1, 2), keepdim=True), values.amax((1, 2), keepdim=True)
        return ((values - least) / (most - least).clamp(min=LEAST_RANGE)).flatten(1)
    # a sine of full scale has this power in its bin
    full = (settings.n_fft / 4) ** 2 * 10 ** (settings.full_db / 10)
    return (values / full**settings.exponent).flatten(1)


def _spectra(
    samples: Float[Tensor, "sound time"], settings: ChunkSettings
) -> Complex[Tensor, "sound bin frame"]:
    """Of frames around every `hop`-th sample, under a Hann window, with zeros outside."""
    window = torch.hann_window(settings.n_fft, dtype=samples.dtype)
    return torch.stft(
        samples,
        settings.n_fft,
        settings.hop,
        window=window,
        center=True,
        pad_mode="constant",
        return_complex=True,
    )


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def _mel_bands(n_mels: int, n_fft: int, rate_hz: int) -> Float[Tensor, "bin mel"]:
    """Triangles of an area of one, straight in hertz, evenly apart in mel from 60 Hz on."""

    def mel(hz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hz / 700.0)

    hz = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * rate_hz / n_fft
    low, high = mel(torch.tensor([60.0, min(rate_hz / 2, 8000.0)], dtype=torch.float64)).tolist()
    corners = torch.linspace(low, high, n_mels + 2, dtype=torch.float64)
    corners = 700.0 * torch.expm1(corners / 1127.0)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rise = (hz[:, None] - left) / (centre - left)
    fall = (right - hz[:, None]) / (right - centre)
    bands = torch.minimum(rise, fall).clamp_min(0)
    # the lowest bands may fall between two bins; each takes its nearest
    nearest = (hz[:, None] - centre).abs().argmin(0)
    empty = bands.sum(0) == 0
    bands[nearest[empty], empty.nonzero()[:, 0]] = 1.0
    return (bands / bands.sum(0)).float()
