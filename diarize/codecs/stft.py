"""The short-time Fourier transform as a codec: no weights, no codes, and an exact inverse."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.codecs.contract import Encoded, check_channels
from diarize.errors import BadCall

RATE_HZ = 22_050


class STFTCodec:
    """Latents are the real parts of a spectrum, then the imaginary ones.

    Frames are of `n_fft` samples under the root of a Hann window, `n_fft / 2` apart, so that
    the same window at both ends gives the sound back.

    >>> codec = STFTCodec(8, rate_hz=16)
    >>> sound = torch.arange(1.0, 7).reshape(1, 1, 6)
    >>> codec.decode(codec.encode(sound)).round(decimals=3).tolist()
    [[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]]
    """

    n_channels = 1
    n_codes = 0
    bits_per_s = 0.0

    def __init__(self, n_fft: int = 512, rate_hz: int = RATE_HZ) -> None:
        if n_fft < 4 or n_fft % 4:
            raise BadCall(f"n_fft = {n_fft}; a multiple of 4 would be right")
        self.n_fft, self.rate_hz = n_fft, rate_hz
        self.frame_rate_hz = 2 * rate_hz / n_fft
        self.n_latents = n_fft + 2
        self._window = torch.hann_window(n_fft).sqrt()

    def encode(self, audio: Float[Tensor, "batch channel time"]) -> Encoded:
        """The sound as spectra, exactly."""
        check_channels(audio, self.n_channels, "stft")
        n_samples = audio.shape[2]
        hop = self.n_fft // 2  # whole hops, and a frame at least, for its ends are mirrored
        short = max(self.n_fft - n_samples, -n_samples % hop)
        padded = torch.nn.functional.pad(audio[:, 0], (0, short))
        spectrum = torch.stft(padded, self.n_fft, hop, window=self._window, return_complex=True)
        return Encoded(torch.cat([spectrum.real, spectrum.imag], 1), None, None, n_samples)

    def decode(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of spectra; of those that no sound has, of the nearest that one has."""
        real, imaginary = encoded.latents.chunk(2, 1)
        sound = torch.istft(
            torch.complex(real, imaginary), self.n_fft, self.n_fft // 2, window=self._window
        )
        return sound[:, None, : encoded.n_samples]

    def decode_codes(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """Not to be had: there are no codes."""
        raise BadCall("the codec stft has no codes; decode its latents")


def load_stft(weights: Path | str | None = None) -> STFTCodec:
    """The codec; it has no weights to be named.

    Raises:
        BadCall: some are.
    """
    if weights is not None:
        raise BadCall(f"the codec stft has no weights; found {weights}")
    return STFTCodec()
