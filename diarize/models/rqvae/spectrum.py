"""Our network: spectra in bands to shares of the mixture's spectrum, one for each stem."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from diarize.layers.conv import BandBlock, FrameBlock
from diarize.models.rqvae.config import SpectrumSettings

QUIETEST = 1e-5  # full scale 1: levels below are not made any louder
BEND = 0.3  # the power of magnitudes that the network sees
Spectra = Complex[Tensor, "*batch frame frequency"]


class Spectrum:
    """Spectra of frames of `n_fft` samples under a sine window, half of that apart, and back."""

    def __init__(self, n_fft: int) -> None:
        self.n_fft, self.hop = n_fft, n_fft // 2
        self._window = torch.sin(math.pi / n_fft * (torch.arange(n_fft) + 0.5))

    def forward(self, sound: Float[Tensor, "*batch time"]) -> Spectra:
        """The spectrum of each frame; the first begins half a frame before the sound."""
        n_samples = sound.shape[-1]
        room = -n_samples % self.hop + self.hop
        padded = torch.nn.functional.pad(sound, (self.hop, room))
        frames = padded.unfold(-1, self.n_fft, self.hop)
        return torch.fft.rfft(frames * self._window.to(sound))

    def inverse(self, spectra: Spectra, n_samples: int) -> Float[Tensor, "*batch time"]:
        """The sound of these spectra: exact, if they are as they were."""
        frames = torch.fft.irfft(spectra, self.n_fft) * self._window.to(spectra.device)
        first, second = frames.split(self.hop, -1)
        whole = second[..., :-1, :] + first[..., 1:, :]
        return whole.flatten(-2)[..., :n_samples]


class Parts:
    """Parts of bands, each of frequencies side by side: sums over them, and spreading over them."""

    def __init__(self, settings: SpectrumSettings) -> None:
        plan = zip(settings.band_counts, settings.band_widths, settings.band_shares, strict=True)
        self.runs = [(n * shares, width // shares) for n, width, shares in plan]

    def sums(self, values: Float[Tensor, "*batch frequency"]) -> Float[Tensor, "*batch part"]:
        """The sum of `values` over each part; the last frequency counts to the last part."""
        found, place = [], 0
        for n, width in self.runs:
            run = values[..., place : place + n * width]
            found.append(run if width == 1 else run.unflatten(-1, (n, width)).sum(-1))
            place += n * width
        together = torch.cat(found, -1)
        together[..., -1] += values[..., place]
        return together

    def spread(self, values: Float[Tensor, "*batch part"]) -> Float[Tensor, "*batch frequency"]:
        """The value of its part at each frequency."""
        found, place = [], 0
        for n, width in self.runs:
            found.append(values[..., place : place + n].repeat_interleave(width, -1))
            place += n
        return torch.cat([*found, values[..., -1:]], -1)


class BandSplit(nn.Module):
    """Each band of a frame as `channels` numbers, by weights of its own."""

    def __init__(self, settings: SpectrumSettings) -> None:
        super().__init__()
        self.plan = list(zip(settings.band_counts, settings.band_widths, strict=True))
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(n, width, settings.channels) / math.sqrt(width))
            for n, width in self.plan
        )
        self.offset = nn.Parameter(torch.zeros(sum(settings.band_counts), settings.channels))

    def forward(self, values: Float[Tensor, "batch frame frequency"]) -> Tensor:
        """(batch, frame, band, channel)."""
        batch, n_frames, _ = values.shape
        found, place = [], 0
        for (n, width), weight in zip(self.plan, self.weights, strict=True):
            part = values[:, :, place : place + n * width].reshape(batch * n_frames, n, width)
            found.append(torch.bmm(part.transpose(0, 1), weight).transpose(0, 1))
            place += n * width
        return torch.cat(found, 1).view(batch, n_frames, *self.offset.shape) + self.offset


class BandMerge(nn.Module):
    """A number for each part of a band and stem, from the band's numbers, by weights of its own."""

    def __init__(self, settings: SpectrumSettings, n_sources: int) -> None:
        super().__init__()
        self.plan = list(zip(settings.band_counts, settings.band_shares, strict=True))
        self.n_sources = n_sources
        scale = 0.3 / math.sqrt(settings.channels)
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(n, settings.channels, n_sources * parts) * scale)
            for n, parts in self.plan
        )
        self.offsets = nn.ParameterList(
            nn.Parameter(torch.zeros(n, 1, n_sources * parts)) for n, parts in self.plan
        )

    def forward(self, values: Float[Tensor, "batch frame band channel"]) -> Tensor:
        """(batch, source, frame, part)."""
        batch, n_frames = values.shape[:2]
        flat, found, place = values.flatten(0, 1), [], 0
        for number, (n, parts) in enumerate(self.plan):
            some = flat[:, place : place + n].transpose(0, 1)
            made = torch.baddbmm(self.offsets[number], some, self.weights[number])
            apart = made.view(n, batch, n_frames, self.n_sources, parts).permute(1, 3, 2, 0, 4)
            found.append(apart.reshape(batch, self.n_sources, n_frames, n * parts))
            place += n
        return torch.cat(found, 3)


@dataclass(frozen=True)
class Heard:
    """What the encoder makes of a mixture.

    Attributes:
        latents: of each frame.
        bands: of each frame and band, before all bands were joined; None if not to be told.
    """

    latents: Float[Tensor, "batch frame latent"]
    bands: Float[Tensor, "batch frame band number"] | None


class SpectrumEncoder(nn.Module):
    """Bands by themselves, then all of a frame joined, then frames joined over seconds."""

    def __init__(self, settings: SpectrumSettings, has_skips: bool) -> None:
        super().__init__()
        n_bands = sum(settings.band_counts)
        self.split = BandSplit(settings)
        self.blocks = _blocks(settings)
        self.join = nn.Linear(n_bands * settings.channels, settings.width)
        self.norm = nn.LayerNorm(settings.width)
        self.over_time = nn.Sequential(
            *(
                FrameBlock(settings.width, settings.kernel, 2 ** (number % 3))
                for number in range(settings.n_blocks)
            )
        )
        self.narrow = nn.Linear(settings.width, settings.code_groups * settings.code_width)
        self.narrow_bands = nn.Linear(settings.channels, settings.skip_width) if has_skips else None

    def forward(self, magnitudes: Float[Tensor, "batch frame frequency"]) -> Heard:
        """What there is to hear, whatever its level."""
        level = (magnitudes**2).mean((1, 2), keepdim=True).sqrt()
        seen = (magnitudes / (level + QUIETEST)).clamp(min=1e-6) ** BEND - 0.6
        bands = self.blocks(self.split(seen).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        frames = self.over_time(self.norm(self.join(bands.flatten(2))))
        skips = None if self.narrow_bands is None else self.narrow_bands(bands)
        return Heard(self.narrow(frames), skips)


class SpectrumDecoder(nn.Module):
    """Log weights of each stem's share, of latents and, where there are any, of bands."""

    def __init__(self, settings: SpectrumSettings, n_sources: int, has_skips: bool) -> None:
        super().__init__()
        self.shape = sum(settings.band_counts), settings.channels
        self.wide = nn.Linear(settings.code_groups * settings.code_width, settings.width)
        self.block_over_time = FrameBlock(settings.width, settings.kernel, 1)
        self.part = nn.Linear(settings.width, self.shape[0] * self.shape[1])
        self.wide_bands = nn.Linear(settings.skip_width, settings.channels) if has_skips else None
        self.blocks = _blocks(settings)
        self.merge = BandMerge(settings, n_sources)

    def forward(
        self,
        latents: Float[Tensor, "batch frame latent"],
        bands: Float[Tensor, "batch frame band number"] | None,
    ) -> Float[Tensor, "batch source frame part"]:
        """Log weights of each part of a band, up to a number that all stems have in common."""
        frames = self.part(self.block_over_time(self.wide(latents)))
        values = frames.view(*frames.shape[:2], *self.shape)
        if self.wide_bands is not None and bands is not None:
            values = values + self.wide_bands(bands)
        values = self.blocks(values.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.merge(torch.relu(values))


def _blocks(settings: SpectrumSettings) -> nn.Sequential:
    return nn.Sequential(*(BandBlock(settings.channels) for _ in range(settings.n_band_blocks)))
