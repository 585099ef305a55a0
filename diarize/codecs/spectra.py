"""How loud sound is in bands, in decibels, and sound that is as loud as that."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.errors import BadCall

MOMENTUM = 0.99


def band_edges(n_bands: int, n_bins: int) -> list[int]:
    """The first frequency of each band, and the end of the last: one frequency wide at first.

    From some band on, each ends at the same multiple of its beginning, so that it is as wide in
    semitones as the others.

    >>> band_edges(4, 8), band_edges(8, 8)
    ([0, 1, 2, 4, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8])

    Raises:
        BadCall: fewer frequencies than bands.
    """
    if not 1 <= n_bands <= n_bins:
        raise BadCall(f"{n_bands} bands of {n_bins} frequencies; 1 to {n_bins} would be right")
    low, high = 1.0, float(n_bins)
    for _ in range(60):
        ratio = (low * high) ** 0.5
        low, high = (low, ratio) if _grown(n_bands, ratio)[-1] >= n_bins else (ratio, high)
    edges = _grown(n_bands, high)
    return [*edges[:-1], n_bins]


def _grown(n_bands: int, ratio: float) -> list[int]:
    edges = [0]
    for _ in range(n_bands):
        edges.append(max(edges[-1] + 1, round(edges[-1] * ratio)))
    return edges


class BandLevels:
    """Levels of bands in spectra of `n_fft` samples, `n_fft / 4` apart, and sound of such levels.

    A sine of full scale has about 0 dB in its band; `lowest_db` is the level of silence.
    """

    def __init__(self, n_fft: int, n_bands: int, lowest_db: float = -80.0) -> None:
        self.n_fft, self.hop, self.lowest_db = n_fft, n_fft // 4, lowest_db
        edges = torch.tensor(band_edges(n_bands, n_fft // 2 + 1))
        widths = edges.diff()
        self._bands = torch.arange(n_bands).repeat_interleave(widths, output_size=n_fft // 2 + 1)
        shares = torch.nn.functional.one_hot(self._bands, n_bands).float()
        self._means = shares / widths
        self._window = torch.hann_window(n_fft)

    def forward(
        self, sound: Float[Tensor, "row time"], n_spectra: int
    ) -> Float[Tensor, "row spectrum band"]:
        """The level of each band in dB; the first spectrum is around the first sample."""
        room = max(0, (n_spectra - 1) * self.hop - sound.shape[1]) + self.n_fft // 2
        padded = torch.nn.functional.pad(sound, (self.n_fft // 2, room))
        frames = padded.unfold(1, self.n_fft, self.hop)[:, :n_spectra]
        spectra = torch.fft.rfft(frames * self._window.to(sound))
        power = spectra.real.square() + spectra.imag.square()  # abs() takes three times as long
        power = power * (16 / self.n_fft**2)
        means = power @ self._means.to(power)
        return 10 * torch.log10(means.clamp(min=10 ** (self.lowest_db / 10)))

    def inverse(
        self, levels_db: Float[Tensor, "row spectrum band"], n_samples: int, n_rounds: int
    ) -> Float[Tensor, "row time"]:
        """Sound of these levels: phases are not known, and found in `n_rounds` rounds.

        They begin at numbers that are the same in each call.

        Source: Perraudin and others, "A fast Griffin-Lim algorithm", 2013.
        """
        silent = levels_db <= self.lowest_db + 3
        loud = torch.where(silent, 0.0, 10 ** (levels_db / 20)) * (self.n_fft / 4)
        wanted = loud[:, :, self._bands.to(loud.device)].transpose(1, 2)
        begun = torch.Generator().manual_seed(0)
        turned = 2 * torch.pi * torch.rand(wanted.shape[1:], generator=begun)
        phases = torch.polar(torch.ones_like(turned), turned).to(wanted.device).expand_as(wanted)
        before = torch.zeros_like(phases)
        for _ in range(n_rounds):
            again = self._spectra(self._sound(wanted * phases))
            phases = again + MOMENTUM * (again - before)
            phases = phases / phases.abs().clamp(min=1e-9)
            before = again
        sound = self._sound(wanted * phases)
        short = max(0, n_samples - sound.shape[1])
        return torch.nn.functional.pad(sound, (0, short))[:, :n_samples]

    def _sound(self, spectra: Tensor) -> Tensor:
        """The sound that is nearest to these spectra, from the middle of the first one on."""
        window = self._window.to(spectra.device)
        n_samples = (spectra.shape[2] - 1) * self.hop
        return torch.istft(spectra, self.n_fft, self.hop, window=window, length=n_samples)

    def _spectra(self, sound: Tensor) -> Tensor:
        window, pad = self._window.to(sound), "constant"
        return torch.stft(
            sound, self.n_fft, self.hop, window=window, pad_mode=pad, return_complex=True
        )
