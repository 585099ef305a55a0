"""A codec of few codes: every stem a sum of codes a frame, of which bands' levels are made.

Phases are not kept but found anew, so that what it gives back sounds alike and is not alike, sample
by sample: for making music from codes, not for keeping it.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.codecs.contract import Encoded
from diarize.codecs.spectra import BandLevels
from diarize.config import at_least, build
from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.layers.codebook import CodebookRules
from diarize.layers.conv import FrameBlock
from diarize.layers.residual_codebooks import ResidualCodebooks
from diarize.weights import find_weights

WEIGHTS = "rqtransformer"  # the file of which the codec is a part
PART = "codec"  # by this name
MIDDLE_DB, SPREAD_DB = -50.0, 20.0  # of levels, as the network has them


@dataclass(frozen=True)
class CoarseSettings:
    """How stems become codes.

    Attributes:
        sources: what each stem is called; the codec's channels, in this order.
        hop: samples to a frame of codes.
        n_fft: samples of a spectrum; spectra are a quarter of that apart.
        n_bands: of each spectrum.
        width: numbers a frame within the networks.
        n_blocks: convolutions over time before the codes, and as many after.
        kernel: frames each of them sees.
        code_width: numbers of a code.
        n_stages: codes in the sum that a frame of a stem is.
        rules: of the codebooks, which each stem has for itself.
        n_rounds: in which phases are found.
    """

    sources: tuple[str, ...] = ("bass", "drums", "guitar", "piano")
    hop: int = 1024
    n_fft: int = 2048
    n_bands: int = 128
    width: int = 192
    n_blocks: int = 2
    kernel: int = 5
    code_width: int = 24
    n_stages: int = 4
    rules: CodebookRules = field(default_factory=lambda: CodebookRules(n_codes=256))
    n_rounds: int = 48

    def __post_init__(self) -> None:
        if not self.sources or len(set(self.sources)) < len(self.sources):
            raise BadCall(f"sources = {self.sources}; names that differ would be right")
        if self.n_fft % 4 or self.hop % (self.n_fft // 4):
            raise BadCall(f"hop = {self.hop}; a multiple of n_fft / 4 = {self.n_fft / 4:g} would be right")  # fmt: skip  # noqa: E501
        if not self.kernel % 2:
            raise BadCall(f"kernel = {self.kernel}; an odd number would be right")
        if self.rules.learning != "average":
            raise BadCall("rules.learning = 'gradient'; 'average' would be right")
        at_least(self, n_blocks=1, n_rounds=1)


class CoarseCodec(nn.Module):
    """Stems as codes, and levels and sound of codes; a `contract.Codec`, its channels the stems.

    The codes of a frame are those of the first stem, stage by stage, then of the second and so on.
    Its latents are the vectors before they become codes.
    """

    def __init__(self, settings: CoarseSettings, rate_hz: int) -> None:
        super().__init__()
        self.settings, self.rate_hz = settings, rate_hz
        self.frame_rate_hz = rate_hz / settings.hop
        self.n_channels = len(settings.sources)
        self.n_latents = self.n_channels * settings.code_width
        self.n_codes = self.n_channels * settings.n_stages
        self.levels = BandLevels(settings.n_fft, settings.n_bands)
        self.n_spectra = settings.hop // self.levels.hop  # of each frame
        width, n_levels = settings.width, self.n_spectra * settings.n_bands
        self.into, self.out = nn.Linear(n_levels, width), nn.Linear(width, n_levels)
        self.narrow = nn.Linear(width, settings.code_width)
        self.wide = nn.Linear(settings.code_width, width)
        self.stems_in = nn.Parameter(0.1 * torch.randn(self.n_channels, 1, width))
        self.stems_out = nn.Parameter(0.1 * torch.randn(self.n_channels, 1, width))
        self.before, self.after = (
            nn.ModuleList(FrameBlock(width, settings.kernel, 1) for _ in range(settings.n_blocks))
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.books = ResidualCodebooks(
            settings.n_stages, self.n_channels, settings.code_width, settings.rules
        )

    @property
    def bits_per_s(self) -> float:
        """Of all codes of all stems."""
        return self.n_codes * math.log2(self.settings.rules.n_codes) * self.frame_rate_hz

    @property
    def name(self) -> str:
        """Twelve letters that hang on every codebook: codes of one are nothing to another.

        By half precision, so that weights have the same name before and after `diarize pack`.
        """
        books = torch.cat([book.codes.detach().half().flatten() for book in self.books.books()])
        return hashlib.sha256(books.cpu().numpy().tobytes()).hexdigest()[:12]

    def n_frames(self, n_samples: int) -> int:
        """How many frames that many samples have."""
        return max(1, -(-n_samples // self.settings.hop))

    def heard(
        self, audio: Float[Tensor, "batch channel time"]
    ) -> Float[Tensor, "batch channel frame level"]:
        """The levels of each frame, as the network takes them: about -1.5 to 2.5."""
        if audio.shape[1] != self.n_channels:
            wanted = f"{self.n_channels}: {', '.join(self.settings.sources)}"
            raise BadCall(f"{audio.shape[1]} stems; this codec takes {wanted}")
        n_frames = self.n_frames(audio.shape[2])
        found = self.levels.forward(audio.flatten(0, 1).float(), n_frames * self.n_spectra)
        scaled = (found - MIDDLE_DB) / SPREAD_DB
        return scaled.reshape(*audio.shape[:2], n_frames, -1)

    def vectors(
        self, levels: Float[Tensor, "batch channel frame level"]
    ) -> Float[Tensor, "channel batch frame number"]:
        """What becomes codes."""
        inner = (self.into(levels) + self.stems_in).flatten(0, 1)
        for block in self.before:
            inner = block(inner)
        return self.narrow(self.norm(inner)).unflatten(0, levels.shape[:2]).transpose(0, 1)

    def rebuilt(
        self, vectors: Float[Tensor, "channel batch frame number"]
    ) -> Float[Tensor, "batch channel frame level"]:
        """Levels of what the codes stand for."""
        inner = (self.wide(vectors.transpose(0, 1)) + self.stems_out).flatten(0, 1)
        for block in self.after:
            inner = block(inner)
        return self.out(inner).unflatten(0, (vectors.shape[1], vectors.shape[0]))

    def encode(self, audio: Float[Tensor, "batch channel time"]) -> Encoded:
        """The stems as vectors, and the codes nearest to them."""
        vectors = self.vectors(self.heard(audio))
        codes = self.books(vectors.flatten(1, 2)).codes  # (stage, channel, batch and frame)
        stems, batch, n_frames, width = vectors.shape
        apart = codes.unflatten(2, (batch, n_frames)).permute(2, 1, 0, 3)
        latents = vectors.permute(1, 0, 3, 2).reshape(batch, stems * width, n_frames)
        return Encoded(latents, apart.reshape(batch, self.n_codes, n_frames), None, audio.shape[2])

    def decode(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the vectors as they were before they became codes."""
        apart = encoded.latents.unflatten(1, (self.n_channels, -1)).permute(1, 0, 3, 2)
        return self._sound(apart, encoded.n_samples)

    def decode_codes(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the codes alone."""
        if encoded.codes is None:
            raise BadCall("no codes to decode; give what `encode` of this codec gave")
        vectors = self.look_up(encoded.codes).permute(2, 0, 1, 3)
        return self._sound(vectors, encoded.n_samples)

    def look_up(
        self, codes: Int[Tensor, "batch code frame"]
    ) -> Float[Tensor, "batch frame channel number"]:
        """The vector that the codes of each stem and frame stand for."""
        if codes.shape[1] != self.n_codes:
            raise BadCall(f"{codes.shape[1]} codes a frame; this codec has {self.n_codes}")
        stages = self.settings.n_stages
        grouped = codes.unflatten(1, (self.n_channels, stages)).permute(2, 1, 0, 3)
        found = self.books.look_up(grouped.flatten(2))
        return found.unflatten(1, (len(codes), -1)).permute(1, 2, 0, 3)

    def code_vectors(self) -> Float[Tensor, "slot code number"]:
        """What every code adds to the vector of its stem, for each code of a frame."""
        return torch.stack([book.codes.detach() for book in self.books.books()], 1).flatten(0, 1)

    def _sound(self, vectors: Tensor, n_samples: int) -> Tensor:
        levels = self.rebuilt(vectors)
        levels = levels.reshape(-1, levels.shape[2] * self.n_spectra, self.settings.n_bands)
        decibels = (levels.float() * SPREAD_DB + MIDDLE_DB).clamp(self.levels.lowest_db, 6.0)
        sound = self.levels.inverse(decibels, n_samples, self.settings.n_rounds)
        return sound.view(-1, self.n_channels, n_samples)


def find_trained(path: Path | str | None = None) -> Path:
    """The file of a trained rqtransformer: the one at `path`, or the one that ships.

    Raises:
        MissingWeights: there is none.
    """
    if path is None or str(path) == WEIGHTS:
        return find_weights(WEIGHTS)
    if not Path(path).is_file():
        raise MissingWeights(f"{path}: no such file; wanted the weights of an {WEIGHTS}")
    return Path(path)


def load_coarse(weights: Path | str | None = None) -> CoarseCodec:
    """The codec, from the file of a trained rqtransformer, which holds it.

    Raises:
        MissingWeights: no such file.
        BadFile: it holds no such codec, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = find_trained(weights)
    try:
        model = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["model"]
        if model["name"] != WEIGHTS:
            raise ValueError(f"of {model['name']}")
        table, rate_hz = model["settings"][PART], int(model["settings"]["rate_hz"])
        with safe_open(path, framework="pt") as opened:
            names = [name for name in opened.keys() if name.startswith(f"{PART}.")]  # noqa: SIM118
            tensors = {name[len(PART) + 1 :]: opened.get_tensor(name) for name in names}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadFile(
            f"{path}: holds no coarse codec ({error}); expected a trained rqtransformer"
        ) from None
    codec = CoarseCodec(build(CoarseSettings, table, f"{path} {PART}"), rate_hz)
    try:
        codec.load_state_dict(tensors)
    except RuntimeError:
        raise BadFile(f"{path}: its codec is not as its card says; copy both anew") from None
    return codec.eval().requires_grad_(False)
