"""The rqvae: a mixture of instruments as codes, and a sound for each of them from those."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.codecs.rvq import RVQCodec
from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses
from diarize.models.rqvae import objective
from diarize.models.rqvae.bottleneck import Bottleneck, Passed
from diarize.models.rqvae.config import RQVAESettings
from diarize.models.rqvae.separate import Taken, finished
from diarize.models.rqvae.shaping import shaped
from diarize.models.rqvae.spectrum import Parts, Spectrum, SpectrumDecoder, SpectrumEncoder
from diarize.models.rqvae.waveform import WaveformDecoder, WaveformEncoder

STEPS = 32768.0  # of sixteen-bit samples to full scale, in which the published code counts
OFFSET_STEPS, SPREAD_STEPS = 122.759, 2359.9309  # by which it standardises
# Of a long recording: heard at a time, and heard on either side.
PIECES_S = {"spectrum": (10.0, 1.5), "waveform": (5.0, 0.75)}
MOST_FOR_CODEC = 2  # data of a batch that the codec learns from: means need no more


class RQVAE(nn.Module):
    """The model and its training, for `diarize.training`; a `contract.Separator`.

    Its phases: "separate", in which all bottlenecks let numbers through as they are, and "codes",
    in which codebooks begin at means and all goes on through codes. Either may be left out.

    Source: Berti, "Source Separation of Multi-source Raw Music using a Residual Quantized
    Variational Autoencoder", arXiv 2408.07020, and its code, for network "waveform".
    """

    settings_type = RQVAESettings
    phases = ("separate", "codes")
    awake: Tensor

    def __init__(self, settings: RQVAESettings) -> None:
        super().__init__()
        self.settings = settings
        self.sources, self.rate_hz = settings.sources, settings.rate_hz
        self.window_s = settings.window_s
        self.output = settings.output
        self.adapt, self.second = settings.adapt, settings.second
        self.outputs = ("direct",) if settings.network == "waveform" else ("mixture", "codes")
        self.spectrum, self.parts = Spectrum(settings.spectrum.n_fft), Parts(settings.spectrum)
        has_skips = settings.skips != "none"
        if settings.network == "waveform":
            width, n_groups = settings.waveform.channels[-1], 1
            self.encoder: nn.Module = WaveformEncoder(settings.waveform)
            self.decoder: nn.Module = WaveformDecoder(settings.waveform, len(settings.sources))
            self.hop = math.prod(settings.waveform.strides)
        else:
            self.codec = RVQCodec(settings.codec, settings.rate_hz)
            own = settings.spectrum
            width, n_groups = own.code_width, own.code_groups
            self.encoder = SpectrumEncoder(own, has_skips)
            self.decoder = SpectrumDecoder(own, len(settings.sources), has_skips)
        self.bottleneck = Bottleneck(
            settings.bottleneck, settings.n_stages, n_groups, width, settings.rules
        )
        self.skip_bottleneck = None
        if settings.skips == "quantised":
            groups = math.gcd(sum(own.band_counts), 8)  # bands side by side share codebooks
            self.skip_bottleneck = Bottleneck(
                settings.bottleneck, own.n_skip_stages, groups, own.skip_width, settings.rules
            )
        self.register_buffer("awake", torch.tensor(False))

    @property
    def passes(self) -> int:
        """How often a window is to be heard, each time in another key.

        Three times by our network: better by more than half a decibel on instruments that it never
        heard. Once as published.
        """
        return 1 if self.settings.network == "waveform" else 3

    @property
    def adapts(self) -> bool:
        """Whether shares can be fitted to a recording."""
        return self.settings.network == "spectrum"

    def begin(self, phase: str) -> None:
        """Set modes and what is to be trained for `phase`."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there are {', '.join(self.phases)}")
        self.requires_grad_(True)
        if phase == "separate":
            for one in (self.bottleneck, self.skip_bottleneck):
                if one is not None:
                    one.requires_grad_(False)
        self.awake.fill_(phase == "codes")
        self.train()

    def end_epoch(self) -> Mapping[str, float]:
        """The share of the codes of the bottleneck that are in use."""
        books = self.bottleneck.books
        if books is None or not self.awake:
            return {}
        used = torch.stack([(book.usage > 0).float().mean() for book in books.books()])
        return {"codes_in_use": float(used.mean())}

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What the separation of `batch`, a `Songs`, costs: terms times weights, and each alone.

        Raises:
            BadCall: the batch has no stems, or not those of the settings.
        """
        stems = getattr(batch, "stems", None)
        wanted = len(self.sources)
        if stems is None or stems.shape[1] != wanted:
            found = "no stems" if stems is None else f"{stems.shape[1]} stems"
            raise BadCall(f"a batch with {found}; {wanted} are wanted: {', '.join(self.sources)}")
        mixture = batch.inputs[:, 0]
        if self.settings.network == "waveform":
            taken = self._by_waveform(mixture, generator)
            assert taken.sounds is not None
            energies = objective.energies(taken.sounds, stems)
        else:
            spectra = self.spectrum.forward(stems)
            if self.training and self.settings.shaping_db:
                spectra = shaped(spectra, self.settings.shaping_db, generator)
                if self.awake or self.settings.losses.hears:
                    stems = self.spectrum.inverse(spectra, stems.shape[2])
                    mixture = stems.sum(1)
            taken = self._by_spectrum(spectra.sum(1), generator)
            assert taken.shares is not None
            energies = objective.share_energies(taken.shares, spectra.sum(1), spectra, self.parts)
            if self.awake:
                with torch.no_grad():
                    some = stems[:MOST_FOR_CODEC].flatten(0, 1)
                    numbers = self.codec.transform.forward(some)
                    self.codec.quantise(numbers, generator)
        parts = self._parts(taken, stems, mixture, energies, generator)
        weights = self.settings.losses
        total = sum((getattr(weights, name) * value for name, value in parts.items()),
                    start=stems.new_zeros(()))  # fmt: skip
        return Losses(total, {name: value.detach() for name, value in parts.items()})

    def separate(
        self, mixture: Float[Tensor, "batch 1 time"]
    ) -> Float[Tensor, "batch source time"]:
        """The sound of each of `sources`, by `output`; codes learn nothing from it."""
        heard = self.hear(mixture)
        return torch.cat([self.finish(*row) for row in zip(mixture, heard[:, None], strict=True)])

    def hear(self, mixture: Float[Tensor, "batch 1 time"]) -> Float[Tensor, "batch source time"]:
        """What the network alone makes of each row; `finish` makes stems of that.

        Row by row and piece by piece, with what is around a piece heard besides: what is heard may
        be long, and the memory that takes is that of a piece.
        """
        network = self.settings.network
        hop = self.hop if network == "waveform" else self.spectrum.hop
        piece, beside = (max(1, round(s * self.rate_hz / hop)) * hop for s in PIECES_S[network])
        rows = []
        for row in mixture.split(1):
            made = []
            for start in range(0, row.shape[2], piece):
                first = max(0, start - beside)
                part = row[:, :, first : start + piece + beside]
                found = self.take(part[:, 0]).sounds_of(self, part)
                made.append(found[:, :, start - first :][:, :, :piece])
            rows.append(torch.cat(made, 2))
        return torch.cat(rows)

    def finish(
        self, mixture: Float[Tensor, "channel time"], heard: Float[Tensor, "channel source time"]
    ) -> Float[Tensor, "channel source time"]:
        """Stems of one recording, adapted to it, and by way of the codec if `output` says so."""
        return finished(self, mixture, heard)

    def codes(
        self, mixture: Float[Tensor, "batch 1 time"]
    ) -> tuple[Int[Tensor, "stage group n"] | None, ...]:
        """The codes of a mixture at each bottleneck: n is frames, of all data one after another."""
        return tuple(one.codes for one in self.take(mixture[:, 0]).passed)

    def take(
        self, mixture: Float[Tensor, "batch time"], generator: torch.Generator | None = None
    ) -> Taken:
        """What is made of a mixture; `generator` where the model is being trained."""
        if self.settings.network == "waveform":
            return self._by_waveform(mixture, generator)
        return self._by_spectrum(self.spectrum.forward(mixture), generator)

    def _parts(
        self,
        taken: Taken,
        stems: Tensor,
        mixture: Tensor,
        energies: tuple[Tensor, Tensor, Tensor],
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Each term of the loss that has a weight."""
        weights, passed = self.settings.losses, taken.passed
        parts = {
            "codebook": sum((one.codebook for one in passed), start=stems.new_zeros(())),
            "commitment": sum((one.commitment for one in passed), start=stems.new_zeros(())),
            "divergence": sum((one.divergence for one in passed), start=stems.new_zeros(())),
            "ratio": objective.ratio_loss(*energies, weights),
        }
        if weights.hears:
            sounds = taken.sounds_of(self, mixture[:, None])
            scale = STEPS / SPREAD_STEPS
            parts["square"] = ((sounds - stems) ** 2).mean() * scale**2
            if weights.mel:
                pair, hop = (scale * sounds, scale * stems), weights.mel_hop
                start = int(torch.randint(hop, (), generator=generator)) if hop else 0
                parts["mel"] = objective.mel_loss(*pair, self.rate_hz, hop, start)
            if weights.si_sdr:
                parts["si_sdr"] = objective.si_sdr_loss(sounds, stems, weights)
            if weights.spectra:
                parts["spectra"] = objective.spectra_loss(sounds, stems)
        return parts

    def _by_waveform(self, mixture: Tensor, generator: torch.Generator | None = None) -> Taken:
        """Stems by the published network; `generator` where it is being trained."""
        n_samples, n_sources = mixture.shape[1], len(self.sources)
        scale = STEPS / SPREAD_STEPS
        offset = OFFSET_STEPS / SPREAD_STEPS if self.settings.offset_quirk else 0.0
        padded = torch.nn.functional.pad(mixture, (0, -n_samples % self.hop))
        with self._precision(mixture):
            latents, stages = self.encoder(padded[:, None] * scale - n_sources * offset, generator)
        passed = self._pass(self.bottleneck, latents.float(), generator)
        if self.settings.skips == "none":
            stages = []
        with self._precision(mixture):
            made = self.decoder(passed.vectors.view_as(latents), stages, generator)
        sounds = (made.float()[:, :, :n_samples] + offset) / scale
        return Taken(None, sounds, (passed,))

    def _by_spectrum(self, spectra: Tensor, generator: torch.Generator | None = None) -> Taken:
        """Shares of the mixture's spectrum by our network."""
        magnitudes = spectra.abs()[:, :, :-1]
        with self._precision(magnitudes):
            heard = self.encoder(magnitudes)
        latents = heard.latents.float()
        groups = latents.unflatten(2, (self.settings.spectrum.code_groups, -1)).permute(2, 0, 1, 3)
        through = self._pass(self.bottleneck, groups.flatten(1, 2), generator)
        passed = [through]
        latents = through.vectors.view_as(groups).permute(1, 2, 0, 3).flatten(2)
        bands = None if heard.bands is None else heard.bands.float()
        if self.skip_bottleneck is not None and bands is not None:
            n = math.gcd(bands.shape[2], 8)
            apart = bands.unflatten(2, (n, -1)).permute(2, 0, 1, 3, 4)
            passed.append(self._pass(self.skip_bottleneck, apart.flatten(1, 3), generator))
            bands = passed[1].vectors.view_as(apart).permute(1, 2, 0, 3, 4).flatten(2, 3)
        with self._precision(magnitudes):
            weights = self.decoder(latents, bands)
        return Taken(weights.float().softmax(1), None, tuple(passed))

    def _pass(
        self, bottleneck: Bottleneck, vectors: Tensor, generator: torch.Generator | None
    ) -> Passed:
        if vectors.ndim == 3 and self.settings.network == "waveform":
            vectors = vectors.flatten(0, 1)[None]
        return bottleneck(vectors, bool(self.awake), generator if self.training else None)

    def _precision(self, like: Tensor) -> torch.autocast:
        wanted = self.settings.training_precision == "bfloat16" and self.training
        return torch.autocast(like.device.type, torch.bfloat16, enabled=wanted)
