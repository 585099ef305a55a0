"""A codec's latents as networks see them, and back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.codecs import load_codec
from diarize.codecs.contract import Codec, Encoded
from diarize.codecs.fingerprint import fingerprint
from diarize.codecs.stft import RATE_HZ, STFTCodec
from diarize.errors import BadCall
from diarize.models.composable.config import ComposableSettings

FAINTEST_RMS = 1e-3  # of a window: what is softer is not made louder than this would be
FURTHEST = 8.0  # standard deviations from the mean
_TINY = 1e-20


def codec_of(settings: ComposableSettings) -> tuple[Codec, ComposableSettings]:
    """The codec of the settings, and these with its rate and width.

    Raises:
        BadCall: it has another rate or width than the settings say, or more than one channel.
        MissingWeights: its weights are nowhere on this machine.
    """
    codec: Codec
    if settings.codec == "stft":
        codec = STFTCodec(settings.n_fft, settings.rate_hz or RATE_HZ)
    else:
        codec = load_codec(settings.codec, settings.codec_weights or None)
    for name, what in (("rate_hz", "Hz"), ("n_latents", "latents a frame")):
        wanted, found = getattr(settings, name), getattr(codec, name)
        if wanted and wanted != found:
            raise BadCall(
                f"codec {settings.codec!r} has {found} {what}; these weights are for {wanted}"
            )
    if codec.n_channels != 1:
        found = codec.n_channels
        raise BadCall(f"codec {settings.codec!r} has {found} channels; one of 1 would be right")
    told = dataclasses.replace(settings, rate_hz=codec.rate_hz, n_latents=codec.n_latents)
    return codec, told


@dataclass(frozen=True)
class Heard:
    """A mixture as the codec and the networks have it.

    Attributes:
        encoded: by the codec.
        loudness: by which the sound was divided before.
        data: what the networks see.
    """

    encoded: Encoded
    loudness: Float[Tensor, "batch 1 1"]
    data: Float[Tensor, "batch channel frame"]


class View(nn.Module):
    """Latents as data for networks; knows means and variances of each number."""

    count: Tensor
    total: Tensor
    squares: Tensor
    owner: Tensor

    def __init__(self, codec: Codec, settings: ComposableSettings) -> None:
        super().__init__()
        self._codec = (codec,)  # no part of the weights
        self.settings = settings.view
        self.is_levels = settings.view.kind == "levels"
        self.is_spectrum = isinstance(codec, STFTCodec)
        self.n_bins = codec.n_latents // 2 if self.is_spectrum else codec.n_latents
        if self.is_levels and settings.view.n_bands > self.n_bins:
            raise BadCall(
                f"view.n_bands = {settings.view.n_bands}; expected at most {self.n_bins}, the "
                f"numbers that codec {settings.codec!r} has a frame"
            )
        self.n_channels = settings.view.n_bands if self.is_levels else codec.n_latents
        edges = band_edges(self.n_channels, self.n_bins) if self.is_levels else [0, self.n_bins]
        widths = torch.tensor(edges).diff()
        self.register_buffer("owner", torch.arange(len(widths)).repeat_interleave(widths), False)
        for name in ("total", "squares"):
            self.register_buffer(name, torch.zeros(self.n_channels, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @property
    def codec(self) -> Codec:
        """The codec whose latents these are."""
        return self._codec[0]

    def hear(self, sound: Float[Tensor, "batch 1 time"], *, count: bool = False) -> Heard:
        """The sound in latents, and as data; with `count`, means and variances take it in."""
        loudness = sound.new_ones(len(sound), 1, 1)
        if self.settings.normalised:
            loudness = sound.square().mean((1, 2), keepdim=True).sqrt().clamp(min=FAINTEST_RMS)
        encoded = self.codec.encode(sound / loudness)
        plain = self._plain(encoded.latents)
        if count and self.settings.normalised:
            self._count(plain)
        return Heard(encoded, loudness, self.normalised(plain))

    def hear_latents(
        self,
        latents: Float[Tensor, "batch latent frame"],
        loudness: Float[Tensor, " batch"] | None,
        *,
        count: bool = False,
    ) -> Heard:
        """Latents that were made beforehand, as `hear` has those of sound of that loudness.

        Raises:
            BadCall: windows are to have a root mean square of 1, and latents cannot be given it.
        """
        divisor = latents.new_ones(len(latents), 1, 1)
        if self.settings.normalised:
            if loudness is None:
                raise BadCall(
                    "view.normalised = true of latents that cannot be made louder; expected "
                    "level = 'song' in [data.latents] and latents made so, or view.normalised = "
                    "false"
                )
            divisor = loudness.clamp(min=FAINTEST_RMS).view(-1, 1, 1)
        hop = round(self.codec.rate_hz / self.codec.frame_rate_hz)
        encoded = Encoded(latents / divisor, None, None, latents.shape[2] * hop)
        plain = self._plain(encoded.latents)
        if count and self.settings.normalised:
            self._count(plain)
        return Heard(encoded, divisor, self.normalised(plain))

    @cached_property
    def fingerprint(self) -> str:
        """Of the codec; latents of any other are nothing to this."""
        return fingerprint(self.codec)

    def normalised(self, plain: Float[Tensor, "batch channel frame"]) -> Tensor:
        """Each number with mean 0 and variance 1, as far as that is known."""
        mean, spread = self._statistics(plain)
        data = (plain - mean) / spread
        if not self.is_levels and self.settings.power < 1:
            data = data.sign() * data.abs().clamp(min=1e-9) ** self.settings.power
        return data

    def plain(self, data: Float[Tensor, "... channel frame"]) -> Tensor:
        """What is known of latents again: they themselves, or log powers of bands."""
        if not self.is_levels and self.settings.power < 1:
            data = data.sign() * data.abs().clamp(min=1e-9) ** (1 / self.settings.power)
        mean, spread = self._statistics(data)
        if self.is_levels:
            data = data.clamp(-FURTHEST, FURTHEST)
        return data * spread + mean

    def log_powers(self, data: Float[Tensor, "... channel frame"]) -> Tensor:
        """Natural logarithms of power, a bin of the codec or a band, from data."""
        plain = self.plain(data)
        return plain if self.is_levels else self._powers(plain).clamp(min=_TINY).log()

    def octaves(self, split_hz: float) -> Float[Tensor, " channel"]:
        """How far the middle of each band, or bin, is above a frequency: of `log_powers`.

        Bin 0, which is 0 Hz, counts as half a bin.

        Raises:
            BadCall: the latents of this codec are at no frequency.
        """
        if not (self.is_spectrum or hasattr(self.codec, "transform")):
            name = type(self.codec).__name__
            raise BadCall(f"losses.high, losses.low: latents of {name} are at no frequency")
        spacing_hz = self.codec.rate_hz / 2 / (self.n_bins - self.is_spectrum)
        at = torch.arange(self.n_bins, device=self.owner.device, dtype=torch.float32)
        at_hz = (at if self.is_spectrum else at + 0.5).clamp(min=0.5) * spacing_hz
        if self.is_levels:
            widths = torch.bincount(self.owner)
            at_hz = at_hz.new_zeros(len(widths)).index_add(0, self.owner, at_hz) / widths
        return torch.log2(at_hz / split_hz)

    def spread(self, bands: Float[Tensor, "... band frame"]) -> Float[Tensor, "... latent frame"]:
        """For each latent the number of its band, or bin."""
        bins = bands[..., self.owner, :] if self.is_levels else bands
        return torch.cat([bins, bins], -2) if self.is_spectrum else bins

    def _plain(self, latents: Tensor) -> Tensor:
        if not self.is_levels:
            return latents
        power = self._powers(latents)
        pooled = power.new_zeros(len(power), self.n_channels, power.shape[2])
        pooled.index_add_(1, self.owner, power)
        widths = torch.bincount(self.owner, minlength=self.n_channels).to(power)[:, None]
        return (pooled / widths + self.floor).log()

    @property
    def floor(self) -> float:
        """The power that is added to that of each band."""
        return 10 ** (-self.settings.floor_db / 10) * self._unit()

    def spread_powers(self, latents: Float[Tensor, "row latent frame"]) -> Tensor:
        """For each latent, the power of its bin."""
        powers = self._powers(latents)
        return torch.cat([powers, powers], -2) if self.is_spectrum else powers

    def _powers(self, latents: Float[Tensor, "... latent frame"]) -> Tensor:
        """Power of each bin. Of a cosine transform, with its neighbours: it goes up and down less.

        Source: Daudet and Sandler, "MDCT analysis of sinusoids", 2004: the pseudo-spectrum.
        """
        if self.is_spectrum:
            real, imaginary = latents.chunk(2, -2)
            return real.square() + imaginary.square()
        if not hasattr(self.codec, "transform"):
            return latents.square()
        around = torch.nn.functional.pad(latents, (0, 0, 1, 1))
        return latents.square() + (around[..., 2:, :] - around[..., :-2, :]).square()

    def _unit(self) -> float:
        """The mean power of a bin of white noise whose root mean square is 1."""
        if self.is_spectrum:
            return float(self.codec.n_fft / 2)  # type: ignore[attr-defined]
        return 3.0 if hasattr(self.codec, "transform") else 1.0

    @torch.no_grad()
    def _count(self, plain: Tensor) -> None:
        if self.count >= self.settings.counted:
            return
        values = plain.detach().double()
        self.total += values.mean(2).sum(0)
        self.squares += values.square().mean(2).sum(0)
        self.count += len(values)

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        if not self.settings.normalised or not self.count:
            return like.new_zeros(1, 1), like.new_ones(1, 1)
        mean = self.total / self.count
        variance = (self.squares / self.count - mean.square()).clamp(min=1e-8)
        if not self.is_levels:
            mean = torch.zeros_like(mean)
        return mean[:, None].to(like), variance.sqrt()[:, None].to(like)


def band_edges(n_bands: int, n_bins: int) -> list[int]:
    """Where bands begin, and the last ends: half of them one bin wide, then two, then four.

    >>> band_edges(8, 20), band_edges(4, 4)
    ([0, 1, 2, 3, 4, 6, 8, 12, 20], [0, 1, 2, 3, 4])
    """
    widths: list[int] = []
    left, width = n_bands, 1
    while len(widths) < n_bands:
        n_here = max(1, left // 2) if width < 4 else left // 2
        n_here = min(n_here, n_bands - len(widths) - 1)
        rest_bins, rest = n_bins - sum(widths) - n_here * width, n_bands - len(widths) - n_here
        if width > 4 or n_here < 1 or rest_bins < rest * width:
            break
        widths += [width] * n_here
        left, width = left - n_here, 2 * width
    start, rest = sum(widths), n_bands - len(widths)
    ends = [start + round((n_bins - start) * (step + 1) / rest) for step in range(rest)]
    edges = [0]
    for one in widths:
        edges.append(edges[-1] + one)
    return [*edges, *ends]
