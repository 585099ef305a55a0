"""EnCodec at 24 kHz (mono) and 48 kHz (stereo), by the package `encodec` and weights of one's own.

Neither is part of this toolkit: the package on PyPI is licensed CC-BY-NC-4.0, and its weights come
from its authors' server. A file of them is looked for at the path that is given, in the cache of
`diarize weights`, and where torch keeps what it downloads; nothing is downloaded here.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diarize.codecs.contract import Encoded
from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.weights import cache_folder

CODE_BITS = 10


@dataclass(frozen=True)
class Kind:
    """One of the two models: its file, which is named after the first digits of its sha256."""

    name: str
    file: str
    maker: str
    bandwidth_kbps: float

    @property
    def sha256(self) -> str:
        """How the hash of the file begins."""
        return Path(self.file).stem.rsplit("-", 1)[1]


ENCODEC_24 = Kind("encodec24", "encodec_24khz-d7cc33bc.th", "encodec_model_24khz", 24.0)
ENCODEC_48 = Kind("encodec48", "encodec_48khz-7e698e3e.th", "encodec_model_48khz", 24.0)


class EncodecCodec:
    """EnCodec behind the contract: latents of 128 numbers, before its codes and after.

    The stereo model hears a second at a time, each divided by its loudness, with 10 ms in common.
    Latents and codes of the seconds stand one after another; `scale` has each second's loudness.
    """

    def __init__(self, model: Any, kind: Kind) -> None:
        model.set_target_bandwidth(kind.bandwidth_kbps)
        self.model, self.kind = model, kind
        self.rate_hz: int = model.sample_rate
        self.n_channels: int = model.channels
        self.hop: int = model.encoder.hop_length
        self.frame_rate_hz = self.rate_hz / self.hop
        self.n_latents: int = model.encoder.dimension
        self.bits_per_s = kind.bandwidth_kbps * 1000
        self.n_codes = round(self.bits_per_s / (model.frame_rate * CODE_BITS))

    @torch.no_grad()
    def encode(self, audio: Float[Tensor, "batch channel time"]) -> Encoded:
        """The sound as latents and codes.

        Raises:
            BadCall: another number of channels, or no samples.
        """
        if audio.shape[1] != self.n_channels or not audio.shape[2]:
            found = tuple(audio.shape)
            raise BadCall(f"sound of shape {found}; {self.kind.name} takes (batch, channel, time) "
                          f"with {self.n_channels} and at least one sample")  # fmt: skip
        latents, codes, scales = [], [], []
        for start, end in self._pieces(audio.shape[2]):
            piece = audio[:, :, start:end]
            if self.model.normalize:
                scales.append(piece.mean(1).pow(2).mean(1).sqrt() + 1e-8)
                piece = piece / scales[-1][:, None, None]
            latents.append(self.model.encoder(piece))
            found = self.model.quantizer.encode(
                latents[-1], self.model.frame_rate, self.model.bandwidth
            )
            codes.append(found.transpose(0, 1))
        scale = torch.stack(scales, 1) if scales else None
        return Encoded(torch.cat(latents, 2), torch.cat(codes, 2), scale, audio.shape[2])

    def decode(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the latents; gradients go through."""
        return self._sound(encoded.latents, encoded)

    @torch.no_grad()
    def decode_codes(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the codes, and of `scale`."""
        if encoded.codes is None:
            raise BadCall("no codes to decode; give what `encode` of this codec gave")
        return self._sound(self.from_codes(encoded.codes), encoded)

    def from_codes(self, codes: Int[Tensor, "batch code frame"]) -> Float[Tensor, "batch n frame"]:
        """The latents that codes stand for."""
        return self.model.quantizer.decode(codes.transpose(0, 1))

    def _sound(self, latents: Tensor, encoded: Encoded) -> Tensor:
        pieces = self._pieces(encoded.n_samples)
        counts = [-(-(end - start) // self.hop) for start, end in pieces]
        total = latents.new_zeros(len(latents), self.n_channels, encoded.n_samples)
        weight = total.new_zeros(encoded.n_samples)
        for number, part in enumerate(latents.split(counts, 2)):
            start, end = pieces[number]
            sound = self.model.decoder(part)[:, :, : end - start]
            if encoded.scale is not None:
                sound = sound * encoded.scale[:, number, None, None]
            if len(pieces) == 1:
                return sound
            faded = _triangle(pieces[0][1]).to(sound)[: end - start]
            total = total + torch.nn.functional.pad(sound * faded, (start, encoded.n_samples - end))
            weight[start:end] += faded
        return total / weight

    def _pieces(self, n_samples: int) -> list[tuple[int, int]]:
        """Start and end, in samples, of what the model hears at a time."""
        length = self.model.segment_length
        if length is None:
            return [(0, n_samples)]
        starts = range(0, n_samples, self.model.segment_stride)
        return [(start, min(start + length, n_samples)) for start in starts]


def load_encodec24(weights: Path | str | None = None) -> EncodecCodec:
    """The mono model at 24 kHz; its errors are those of `load_codec`."""
    return _loaded(ENCODEC_24, weights)


def load_encodec48(weights: Path | str | None = None) -> EncodecCodec:
    """The stereo model at 48 kHz; its errors are those of `load_codec`."""
    return _loaded(ENCODEC_48, weights)


def untrained(kind: Kind) -> EncodecCodec:
    """The codec with the weights it is born with; chance comes from torch.

    Raises:
        BadCall: the package `encodec` is not installed.
    """
    try:
        from encodec.model import EncodecModel
    except ImportError as error:
        raise BadCall(
            f"{kind.name} needs the package encodec ({error}); `pip install "
            "'diarize-toolkit[encodec]'` (its licence is CC-BY-NC-4.0)"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is older than torch's present way to norm weights
        model = getattr(EncodecModel, kind.maker)(pretrained=False)
    return EncodecCodec(model.eval().requires_grad_(False), kind)


def _loaded(kind: Kind, weights: Path | str | None) -> EncodecCodec:
    path = _found(kind, weights)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if not found.startswith(kind.sha256):
        raise BadFile(
            f"{path}: sha256 {found[:12]}...; the weights of {kind.name} begin with {kind.sha256}"
        )
    with torch.random.fork_rng(devices=[]):
        codec = untrained(kind)
    try:
        codec.model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        first = str(error).splitlines()[0]
        raise BadFile(f"{path}: not the weights of {kind.name} ({first})") from None
    return codec


def _found(kind: Kind, weights: Path | str | None) -> Path:
    """Where the file is."""
    if weights is not None:
        path = Path(weights)
        path = path / kind.file if path.is_dir() else path
        if not path.is_file():
            raise MissingWeights(f"{path}: no such file; wanted {kind.file}")
        return path
    torch_home = os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch"
    for folder in (cache_folder(), Path(torch_home) / "hub" / "checkpoints"):
        if (folder / kind.file).is_file():
            return folder / kind.file
    raise MissingWeights(
        f"no weights of {kind.name} on this machine; put {kind.file} of EnCodec's authors into "
        f"{cache_folder()}, or name the file"
    )


def _triangle(length: int) -> Tensor:
    """Weights that rise to the middle and fall, none of them 0."""
    at = torch.linspace(0, 1, length + 2)[1:-1]
    return 0.5 - (at - 0.5).abs()
