"""The settings of an rqvae: the `[model]` table of a conf."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from diarize.codecs.rvq import RVQSettings
from diarize.errors import BadCall
from diarize.layers.codebook import CodebookRules
from diarize.layers.lowrank import AdaptSettings


@dataclass(frozen=True)
class WaveformSettings:
    """The published network: strided convolutions of samples and two-way recurrent layers.

    Attributes:
        channels: of each stage; the latent has those of the last.
        kernels: of each stage's convolution, in samples of its input.
        strides: of each stage; their product is the samples to a latent.
        n_recurrent: layers between the last stage and the codes, and after the codes.
        dropout: share of values left out in training.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128, 256)
    kernels: tuple[int, ...] = (3, 7, 7, 6, 4)
    strides: tuple[int, ...] = (1, 5, 5, 4, 2)
    n_recurrent: int = 2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.channels or not len(self.channels) == len(self.kernels) == len(self.strides):
            raise BadCall("channels, kernels and strides; as many of each, and at least one")
        if self.channels[-1] % 2:
            raise BadCall(f"channels end with {self.channels[-1]}; an even number would be right")
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            if kernel < stride or (kernel - stride) % 2:
                raise BadCall(
                    f"kernel {kernel} with stride {stride}; an even number more would be right"
                )


@dataclass(frozen=True)
class SpectrumSettings:
    """Our network: spectra in bands, each band with weights of its own, all joined over time.

    Attributes:
        n_fft: samples of a frame; frames are half of that apart.
        band_counts: bands of each class, from the lowest frequency on.
        band_widths: frequencies in each band of a class; bands times widths are half of `n_fft`.
        band_shares: into how many parts a band of a class is cut, each with a share of its own.
        channels: numbers a band and frame.
        n_band_blocks: pairs of convolutions over bands and frames, before all bands are joined and
            again after.
        width: numbers a frame, of all bands together.
        n_blocks: convolutions over time, of frames 1, 2, 4, 1, 2, 4 ... apart.
        kernel: frames each of them sees.
        code_groups: into which the numbers of a frame are cut, each with codes of its own.
        code_width: numbers in each such group.
        skip_width: numbers a band and frame that skips, if any, let through.
        n_skip_stages: codes in the sum that a band of a quantised skip is.
    """

    n_fft: int = 2048
    band_counts: tuple[int, ...] = (32, 16, 8, 8)
    band_widths: tuple[int, ...] = (4, 8, 16, 80)
    band_shares: tuple[int, ...] = (4, 8, 8, 20)
    channels: int = 32
    n_band_blocks: int = 2
    width: int = 256
    n_blocks: int = 6
    kernel: int = 7
    code_groups: int = 8
    code_width: int = 16
    skip_width: int = 8
    n_skip_stages: int = 4

    def __post_init__(self) -> None:
        lengths = {len(self.band_counts), len(self.band_widths), len(self.band_shares)}
        if len(lengths) > 1 or not self.band_counts:
            raise BadCall("band_counts, band_widths, band_shares; as many of each, at least one")
        for width, parts in zip(self.band_widths, self.band_shares, strict=True):
            if parts < 1 or width % parts:
                raise BadCall(f"{parts} shares of a band of {width}; it must divide the band")
        total = sum(n * w for n, w in zip(self.band_counts, self.band_widths, strict=True))
        if 2 * total != self.n_fft:
            raise BadCall(f"bands of {total} frequencies; n_fft = {self.n_fft} has half of that")
        if not self.kernel % 2:
            raise BadCall(f"kernel = {self.kernel}; an odd number would be right")


@dataclass(frozen=True)
class LossSettings:
    """What is minimised: a sum of terms, each times its weight; 0 leaves one out.

    Attributes:
        square: mean squared error of the samples, as standardised by the published code.
        mel: of mel spectra at six scales, summed as the published code does.
        mel_hop: samples that the frames of these are apart at least, from a place that is drawn for
            each batch; 0: a quarter of each window, as published, which takes most of a step.
        codebook: squared distance of codes to what they stand for.
        commitment: the same, moving what is quantised; and of the whole sum.
        divergence: KL divergence of a Gaussian bottleneck, a number of the latent.
        ratio: noise to signal of each stem, of its energy in spectra, in dB.
        si_sdr: the scale-invariant ratio of samples, in dB.
        spectra: L1 distance of magnitudes at several scales, over the magnitude of the mixture.
        floor_db: a stem better than this ratio is not made any better.
        silent: what stems that do not play weigh, in `ratio`.
    """

    square: float = 0.0
    mel: float = 0.0
    mel_hop: int = 0
    codebook: float = 0.75
    commitment: float = 1.0
    divergence: float = 0.0
    ratio: float = 1.0
    si_sdr: float = 0.0
    spectra: float = 0.0
    floor_db: float = 30.0
    silent: float = 0.5

    def __post_init__(self) -> None:
        if self.mel_hop < 0:
            raise BadCall(f"mel_hop = {self.mel_hop}; 0 samples or more would be right")

    @property
    def hears(self) -> bool:
        """Whether any term looks at the sound of stems."""
        return bool(self.square or self.mel or self.si_sdr or self.spectra)


@dataclass(frozen=True)
class SecondSettings:
    """Another separator of the same stems, heard beside this one.

    Attributes:
        weights: a file of them, or the name of weights that ship; "none": no other.
        share: of the answer that is the other's.
    """

    weights: str = "none"
    share: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise BadCall(f"share = {self.share}; between 0 and 1 would be right")


@dataclass(frozen=True)
class RQVAESettings:
    """Which network, what is between its encoder and its decoder, and what is minimised.

    Attributes:
        network: "waveform", as published, or "spectrum", ours.
        sources: what each stem is called.
        rate_hz: of all sound.
        window_s: seconds that a long recording is cut into.
        bottleneck: "codes"; "gaussian": a draw from a normal distribution, as a VAE has it; "none":
            numbers as they are, as no VAE.
        n_stages: codes in the sum that a latent is; 1 is a VQ-VAE.
        rules: of these codebooks.
        skips: what of the encoder's stages the decoder is given besides: "none", "plain" (numbers
            as they are) or "quantised" (network "spectrum" only: through a bottleneck of their own,
            of the same kind).
        output: "direct": stems as the decoder has them. Network "spectrum" only: "mixture": shares
            of the mixture's spectrum; "codes": the sound of codes alone.
        codec: the codes of "codes".
        shaping_db: in training of network "spectrum", each stem's spectrum goes through a smooth
            curve drawn for it, of up to so many dB: instruments of other makes sound otherwise.
        adapt: how shares are fitted to the recording at hand (network "spectrum" only).
        second: who is heard besides, when songs are separated; no part of any training.
        offset_quirk: the published standardisation, which takes 122.759 sixteen-bit steps from each
            stem; else none is taken.
        training_precision: "bfloat16" is faster on most machines.
    """

    network: Literal["waveform", "spectrum"] = "waveform"
    sources: tuple[str, ...] = ("bass", "drums", "guitar", "piano")
    rate_hz: int = 22_050
    window_s: float = 4.0
    bottleneck: Literal["codes", "gaussian", "none"] = "codes"
    n_stages: int = 12
    rules: CodebookRules = field(
        default_factory=lambda: CodebookRules(n_codes=4096, learning="gradient")
    )
    skips: Literal["none", "plain", "quantised"] = "plain"
    output: Literal["direct", "mixture", "codes"] = "direct"
    waveform: WaveformSettings = field(default_factory=WaveformSettings)
    spectrum: SpectrumSettings = field(default_factory=SpectrumSettings)
    codec: RVQSettings = field(default_factory=RVQSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    shaping_db: float = 0.0
    adapt: AdaptSettings = field(default_factory=AdaptSettings)
    second: SecondSettings = field(default_factory=SecondSettings)
    offset_quirk: bool = False
    training_precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if not self.sources or len(set(self.sources)) < len(self.sources):
            raise BadCall(f"sources = {self.sources}; names that differ would be right")
        if self.shaping_db < 0:
            raise BadCall(f"shaping_db = {self.shaping_db}; 0 or more would be right")
        if self.window_s <= 0:
            raise BadCall(f"window_s = {self.window_s}; above 0 would be right")
        if self.network == "waveform":
            if self.skips == "quantised":
                raise BadCall("skips = 'quantised' of network 'waveform'; 'none' or 'plain' would be right")  # fmt: skip  # noqa: E501
            if self.output != "direct":
                raise BadCall(f"output = {self.output!r} of network 'waveform'; 'direct' would be right")  # fmt: skip  # noqa: E501
            if self.adapt.steps:
                raise BadCall(f"adapt.steps = {self.adapt.steps} of network 'waveform'; 0 would be right")  # fmt: skip  # noqa: E501
        elif self.output == "direct":
            raise BadCall("output = 'direct' of network 'spectrum'; 'mixture' or 'codes' would be right")  # fmt: skip  # noqa: E501
