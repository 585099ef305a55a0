"""A small network that says which instrument a sound is, to name components that have no names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from diarize.config import at_least
from diarize.corpora.batch import Songs
from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses

MIXED = "mixed"  # the class of what is not one instrument
RANGE_DB = 80.0  # below the loudest band of a window, where its picture ends
_TINY = 1e-16
_AT_ONCE = 64


@dataclass(frozen=True)
class InstrumentClassifierSettings:
    """What is heard, how large the network is, and how stems are spoiled in training.

    Attributes:
        sources: what stems are called, in the order that batches have them.
        rate_hz, window_s: of the sound of one decision.
        n_fft, hop: samples of a frame and between frames.
        n_mels: bands; as many as the widths can halve.
        widths: of the convolutions, each followed by a halving in time and frequency.
        n_hidden: of the layer before the last: the embedding.
        dropout: of that layer, in training.
        sounding_rms: from which root mean square on a stem is something to learn from.
        leak_db: up to which level other stems of the song leak into a stem in training, as they do
            into what a separator makes.
        mixed: how likely two stems are joined at about the same level, to be told as mixed.
        tilt_db: up to how much louder or softer the highest band is than the lowest.
        temperature: by which scores are divided before they are probabilities; what makes these
            mean what they say is fitted after training, see `inference.name_temperature`.
    """

    sources: tuple[str, ...] = ("bass", "drums", "guitar", "piano")
    rate_hz: int = 22_050
    window_s: float = 3.0
    n_fft: int = 2048
    hop: int = 1024
    n_mels: int = 64
    widths: tuple[int, ...] = (16, 32, 64, 96)
    n_hidden: int = 64
    dropout: float = 0.2
    sounding_rms: float = 0.003
    leak_db: float = -12.0
    mixed: float = 0.2
    tilt_db: float = 12.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, rate_hz=1, n_fft=4, hop=1, n_mels=1, n_hidden=1, window_s=0)
        if len(set(self.sources)) < max(2, len(self.sources)) or MIXED in self.sources:
            raise BadCall(f"sources = {list(self.sources)}; two names or more, without {MIXED!r}")
        if not self.widths or min(self.widths) < 1 or self.n_mels % 2 ** len(self.widths):
            raise BadCall(
                f"n_mels = {self.n_mels}, widths = {list(self.widths)}; widths from 1, and bands "
                f"that {2 ** len(self.widths)} divides, would be right"
            )
        if not (0 <= self.dropout < 1 and 0 <= self.mixed <= 1):
            raise BadCall(f"dropout = {self.dropout}, mixed = {self.mixed}; expected 0 to 1")
        if not 0 < self.temperature < math.inf:
            raise BadCall(f"temperature = {self.temperature}; expected a number above 0")
        if min(self.sounding_rms, self.tilt_db) < 0 or self.leak_db > 0:
            raise BadCall(
                f"sounding_rms = {self.sounding_rms}, tilt_db = {self.tilt_db}, leak_db = "
                f"{self.leak_db}; the last is 0 or less, the others are 0 or more"
            )


class InstrumentClassifier(nn.Module):
    """The network and its training, for `diarize.training`: stems of rendered or real songs.

    Its classes are the sources, then "mixed": of two of them at about the same level. It hears
    shapes, not levels: the loudest band of a window is 0 dB.
    """

    settings_type = InstrumentClassifierSettings
    phases: tuple[str, ...] = ("instruments",)
    window: Tensor
    bands: Tensor

    def __init__(self, settings: InstrumentClassifierSettings) -> None:
        super().__init__()
        self.settings = settings
        self.rate_hz, self.window_s = settings.rate_hz, settings.window_s
        self.classes = (*settings.sources, MIXED)
        self.register_buffer("window", torch.hann_window(settings.n_fft), persistent=False)
        bands = mel_bands(settings.n_mels, settings.n_fft, settings.rate_hz)
        self.register_buffer("bands", bands, persistent=False)
        layers: list[nn.Module] = []
        for before, after in pairwise((1, *settings.widths)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.GroupNorm(1, after),
                nn.ReLU(),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
        self.trunk = nn.Sequential(*layers)
        n_features = 2 * settings.widths[-1] * (settings.n_mels >> len(settings.widths))
        self.hidden = nn.Sequential(nn.Linear(n_features, settings.n_hidden), nn.ReLU())
        self.last = nn.Linear(settings.n_hidden, len(self.classes))

    def begin(self, phase: str) -> None:
        """Set modes for the only phase, "instruments"."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there is {self.phases[0]!r}")
        self.requires_grad_(True)
        self.train()

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """The cross-entropy of the stems that sound, spoiled as the settings say.

        Raises:
            BadCall: no songs in stems, or of other sources.
        """
        n_sources = len(self.settings.sources)
        if not isinstance(batch, Songs) or batch.stems.shape[1] != n_sources:
            found = tuple(batch.stems.shape) if isinstance(batch, Songs) else type(batch).__name__
            raise BadCall(f"a batch {found}; expected songs in {n_sources} stems")
        sounds, labels, known = self.spoiled(batch.stems, generator)
        pictures = self.pictures(sounds)
        span = torch.linspace(-0.5, 0.5, self.settings.n_mels, device=sounds.device)
        tilt = torch.rand(len(batch), n_sources, 1, 1, generator=generator) * 2 - 1
        tilt_db = self.settings.tilt_db * tilt[:, :, 0].to(sounds) * span
        tilted = (pictures + tilt_db[known][:, :, None] / RANGE_DB).clamp(min=0)
        kept = torch.rand(len(batch), n_sources, self.settings.n_hidden, generator=generator)
        hidden = self._hidden(tilted) * (kept.to(sounds) >= self.settings.dropout)[known]
        scores = self.last(hidden / (1 - self.settings.dropout))
        n_counted = torch.tensor(len(labels))
        if not len(labels):
            return Losses(scores.sum(), {"accuracy": torch.tensor(0.0)}, n_counted)
        right = (scores.detach().argmax(1) == labels).float().mean()
        return Losses(functional.cross_entropy(scores, labels), {"accuracy": right}, n_counted)

    def end_epoch(self) -> Mapping[str, float]:
        """Nothing is kept over an epoch."""
        return {}

    def spoiled(
        self, stems: Float[Tensor, "batch source time"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n time"], Int[Tensor, " n"], Bool[Tensor, "batch source"]]:
        """Stems as a separator might leave them, their classes, and which of all they are."""
        own, (batch, n_sources, _) = self.settings, stems.shape
        rms = stems.square().mean(2).sqrt()
        known = rms >= own.sounding_rms
        even = stems / rms.clamp(min=_TINY)[..., None]
        chance = torch.rand(batch, n_sources, 4, generator=generator).to(stems)
        step = 1 + (chance[..., 0] * (n_sources - 1)).long().clamp(max=n_sources - 2)
        other = (torch.arange(n_sources, device=stems.device) + step) % n_sources
        other_sounds = known.gather(1, other)
        beside = even.gather(1, other[..., None].expand_as(even)) * other_sounds[..., None]
        is_mixed = (chance[..., 1] < own.mixed) & other_sounds
        leak_db = own.leak_db - 30 * chance[..., 2]
        mixed_db = 6 * chance[..., 2] - 3
        gain = 10 ** (torch.where(is_mixed, mixed_db, leak_db) / 20)
        labels = torch.arange(n_sources, device=stems.device).expand(batch, -1)
        labels = torch.where(is_mixed, n_sources, labels)
        sounds = even + gain[..., None] * beside
        return sounds[known], labels[known], known

    def pictures(self, sounds: Float[Tensor, "n time"]) -> Float[Tensor, "n mel frame"]:
        """Levels in mel bands, 1 the loudest of a window, 0 what is 80 dB below it."""
        own = self.settings
        if not len(sounds):
            return sounds.new_zeros(0, own.n_mels, 2 ** len(own.widths))
        if sounds.shape[1] < own.n_fft:
            sounds = functional.pad(sounds, (0, own.n_fft - sounds.shape[1]))
        spectra = torch.stft(
            sounds, own.n_fft, own.hop, window=self.window, return_complex=True, center=False
        )
        level_db = 10 * torch.log10(self.bands @ spectra.abs().square() + _TINY)
        return ((level_db - level_db.amax((1, 2), keepdim=True)) / RANGE_DB + 1).clamp(min=0)

    @torch.no_grad()
    def embed(self, sounds: Float[Tensor, "n time"]) -> Float[Tensor, "n hidden"]:
        """What the layer before the last makes of windows of sound, 0 or more each."""
        parts = [self._hidden(self.pictures(part)) for part in sounds.split(_AT_ONCE)]
        return torch.cat(parts) if parts else sounds.new_zeros(0, self.settings.n_hidden)

    @torch.no_grad()
    def classify(self, sounds: Float[Tensor, "n time"]) -> Float[Tensor, "n class"]:
        """Probabilities of `classes` for windows of sound, at `rate_hz`, of any level."""
        return self.probabilities(self.scores(sounds), self.settings.temperature)

    @torch.no_grad()
    def scores(self, sounds: Float[Tensor, "n time"]) -> Float[Tensor, "n class"]:
        """What probabilities are made of."""
        return self.last(self.embed(sounds))

    @staticmethod
    def probabilities(
        scores: Float[Tensor, "n class"], temperature: float
    ) -> Float[Tensor, "n class"]:
        """Probabilities of scores: the surer, the lower the temperature.

        >>> scores = torch.tensor([[2.0, 0.0]])
        >>> made = [InstrumentClassifier.probabilities(scores, at) for at in (1.0, 2.0)]
        >>> [round(one[0, 0].item(), 3) for one in made]
        [0.881, 0.731]
        """
        return (scores / temperature).softmax(1)

    def _hidden(self, pictures: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n hidden"]:
        maps = self.trunk(pictures[:, None])
        told = torch.cat([maps.mean(3), maps.amax(3)], 1).flatten(1)
        return self.hidden(told)


def mel_bands(n_mels: int, n_fft: int, rate_hz: int) -> Float[Tensor, "mel freq"]:
    """Triangles of equal width in mel that overlap by half, up to half the rate, each of sum 1.

    The lowest are no narrower than two bins of the spectrum, so that none is empty.
    """
    top = 1127.0 * torch.log1p(torch.tensor(rate_hz / 2 / 700.0))
    edges_hz = 700.0 * torch.expm1(torch.linspace(0, float(top), n_mels + 2) / 1127.0)
    at_hz = torch.linspace(0, rate_hz / 2, n_fft // 2 + 1)
    width = torch.tensor(2.0 * rate_hz / n_fft)
    middle = edges_hz[1:-1, None]
    rising = (at_hz - middle) / torch.maximum(middle - edges_hz[:-2, None], width) + 1
    falling = (middle - at_hz) / torch.maximum(edges_hz[2:, None] - middle, width) + 1
    bands = torch.minimum(rising, falling).clamp(min=0)
    return bands / bands.sum(1, keepdim=True)
