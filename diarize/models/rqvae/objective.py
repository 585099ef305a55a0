"""What separation costs: how far stems are from what they should be, in several ways."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from diarize.models.rqvae.config import LossSettings
from diarize.models.rqvae.spectrum import Parts

Stems = Float[Tensor, "batch source time"]
Energies = Float[Tensor, "batch source"]
SILENT = 1e-4  # of the mixture's energy: a stem below does not play
SILENT_FLOOR = 1e-4  # of the mixture's energy: what leaks into such a stem below is good enough
_TINY = 1e-9
MEL_WINDOWS = (64, 128, 256, 512, 1024, 2048)
N_MELS = 64
SCALES = (256, 1024, 4096)


def ratio_loss(
    error: Energies, stem: Energies, mixture: Float[Tensor, " batch"], settings: LossSettings
) -> Float[Tensor, ""]:
    """Noise to signal in dB, mean over stems: of those that do not play, leak to mixture.

    A stem that is better than `settings.floor_db` gains nothing by being better still.
    """
    floor = 10 ** (-settings.floor_db / 10)
    plays = stem > SILENT * mixture[:, None]
    noise_db = 10 * torch.log10(error.clamp(min=0) / stem.clamp(min=_TINY) + floor)
    leak = error.clamp(min=0) / mixture[:, None].clamp(min=_TINY)
    leak_db = settings.silent * 10 * torch.log10(leak + SILENT_FLOOR)
    return torch.where(plays, noise_db, leak_db).mean()


def share_energies(
    shares: Float[Tensor, "batch source frame part"],
    mixture: Complex[Tensor, "batch frame frequency"],
    stems: Complex[Tensor, "batch source frame frequency"],
    parts: Parts,
) -> tuple[Energies, Energies, Float[Tensor, " batch"]]:
    """Energies of what is wrong with shares of a mixture's spectrum, of the stems, of the mixture.

    In real numbers, summed over parts before a share is looked at: that takes half the time.
    """
    power = mixture.real**2 + mixture.imag**2
    like = stems.real * mixture.real[:, None] + stems.imag * mixture.imag[:, None]
    stem = (stems.real**2 + stems.imag**2).sum((2, 3))
    error = _ShareError.apply(shares, parts.sums(power), parts.sums(like)) + stem
    return error, stem, power.sum((1, 2))


class _ShareError(torch.autograd.Function):
    """sum(share^2 power - 2 share like) of each stem, with a gradient in one pass."""

    @staticmethod
    def forward(ctx: Any, shares: Tensor, power: Tensor, like: Tensor) -> Tensor:
        """(batch, source)."""
        half = torch.addcmul(like, shares, power[:, None], value=-1).neg_()  # share power - like
        ctx.save_for_backward(half)
        return ((half - like) * shares).sum((2, 3))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of the shares."""
        (half,) = ctx.saved_tensors
        return half * (2 * gradients[0][..., None, None]), None, None


def energies(estimates: Stems, stems: Stems) -> tuple[Energies, Energies, Float[Tensor, " batch"]]:
    """Energies of what is wrong with sounds, of the stems, and of their mixture."""
    error = ((estimates - stems) ** 2).sum(2)
    return error, (stems**2).sum(2), (stems.sum(1) ** 2).sum(1)


def si_sdr_loss(estimates: Stems, stems: Stems, settings: LossSettings) -> Float[Tensor, ""]:
    """The scale-invariant noise-to-signal ratio in dB, mean over stems that play; 0 if none does.

    Source: Le Roux et al., "SDR - half-baked or well done?", arXiv 1811.02508.
    """
    energy = (stems**2).sum(2)
    plays = energy > SILENT * (stems.sum(1) ** 2).sum(1)[:, None]
    scale = (estimates * stems).sum(2) / energy.clamp(min=_TINY)
    target = scale[..., None] * stems
    error, wanted = ((estimates - target) ** 2).sum(2), (target**2).sum(2)
    floor = 10 ** (-settings.floor_db / 10)
    noise_db = 10 * torch.log10(error / wanted.clamp(min=_TINY) + floor)
    return (noise_db * plays).sum() / plays.sum().clamp(min=1)


def spectra_loss(estimates: Stems, stems: Stems) -> Float[Tensor, ""]:
    """L1 distance of magnitudes over the magnitude of the mixture, mean over scales and stems."""
    total, flat = estimates.new_zeros(()), (estimates.flatten(0, 1), stems.flatten(0, 1))
    for n_fft in SCALES:
        found, wanted = (_power(one, n_fft, n_fft, n_fft // 4).sqrt() for one in flat)
        mixture = _power(stems.sum(1), n_fft, n_fft, n_fft // 4).sqrt()
        total = total + (found - wanted).abs().mean() / mixture.mean().clamp(min=1e-6)
    return total / len(SCALES)


def mel_loss(
    estimates: Stems, stems: Stems, rate_hz: int, hop: int = 0, start: int = 0
) -> Float[Tensor, ""]:
    """Distance of mel spectra, linear and logarithmic, summed over stems and six scales.

    Source: arXiv 2408.07020, its code: power spectra, 64 bands, windows of 64 to 2048 samples a
    quarter apart, frames of at least 512. There, the logarithm has no floor: silence breaks it.

    Args:
        hop: samples that frames are apart at least; 0: a quarter of the window. All is a mean over
            frames: with fewer, from a `start` that is drawn, it is that in expectation.
        start: samples left out at the beginning.
    """
    total = estimates.new_zeros(())
    start = min(start, stems.shape[2] - 1)
    heard = [one.flatten(0, 1)[:, start:] for one in (estimates, stems)]
    for window in MEL_WINDOWS:
        n_fft, apart = max(512, window), max(window // 4, hop)
        bands = _mel_bands(n_fft, rate_hz).to(estimates)
        found, wanted = (_power(one, n_fft, window, apart).transpose(1, 2) @ bands for one in heard)
        linear = (found - wanted).abs().sum(2).mean()
        decades = (found + 1e-5).log10() - (wanted + 1e-5).log10()
        total = total + linear + (decades.pow(2).sum(2) + _TINY).sqrt().mean()
    return total * stems.shape[1]


def _power(sound: Tensor, n_fft: int, window: int, hop: int) -> Tensor:
    """(row, frequency, frame), never quite 0; what is too short for a frame is filled up."""
    padded = torch.nn.functional.pad(sound, (0, max(n_fft - sound.shape[1], 0)))
    shape = torch.hann_window(window, device=sound.device)
    spectrum = torch.stft(padded, n_fft, hop, window, shape, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1) + 1e-10


@functools.cache
def _mel_bands(n_fft: int, rate_hz: int) -> Tensor:
    """Triangles a frequency and band, on the HTK scale."""
    highest = 2595 * math.log10(1 + rate_hz / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, N_MELS + 2) / 2595) - 1)
    at = np.linspace(0, rate_hz / 2, n_fft // 2 + 1)[:, None]
    up = (at - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - at) / np.diff(edges)[1:]
    return torch.from_numpy(np.clip(np.minimum(up, down), 0, None)).float()
