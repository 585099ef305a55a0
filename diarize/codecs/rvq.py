"""Our own codec: a cosine transform in blocks, each block a loudness and a sum of codes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.codecs.contract import Encoded, check_channels
from diarize.codecs.mdct import MDCT
from diarize.config import build
from diarize.errors import BadCall, BadFile
from diarize.layers.codebook import CodebookRules
from diarize.layers.residual_codebooks import ResidualCodebooks
from diarize.weights import find_weights

WEIGHTS = "rqvae"  # the separator's file, of which the codec is a part
PART = "codec"  # by this name
LOUDEST_DB, LEVEL_STEP_DB, N_LEVELS = 24.0, 2.0, 64  # of the root mean square of numbers together


@dataclass(frozen=True)
class RVQSettings:
    """How a frame is cut into blocks, and what codes a block gets.

    Attributes:
        hop: samples a frame, and numbers of its transform.
        n_blocks: of each class of blocks, from the lowest frequency on.
        widths: numbers in each block of a class; blocks times widths make up the frame.
        stages: codes in the sum that a block of a class is.
        together: how many blocks side by side have one loudness.
        rules: of the codebooks, which each block has for itself.
    """

    hop: int = 1024
    n_blocks: tuple[int, ...] = (32, 16, 8)
    widths: tuple[int, ...] = (8, 16, 64)
    stages: tuple[int, ...] = (3, 2, 1)
    together: int = 8
    rules: CodebookRules = field(default_factory=lambda: CodebookRules(n_codes=256))

    def __post_init__(self) -> None:
        if not len(self.n_blocks) == len(self.widths) == len(self.stages):
            raise BadCall("n_blocks, widths and stages; they must be of one length")
        total = sum(n * width for n, width in zip(self.n_blocks, self.widths, strict=True))
        if total != self.hop:
            raise BadCall(f"blocks of {total} numbers in all; hop = {self.hop} would be right")
        if any(n % self.together for n in self.n_blocks):
            raise BadCall(f"together = {self.together}; it must divide {self.n_blocks}")
        if self.rules.learning != "average":
            raise BadCall("rules.learning = 'gradient'; 'average' would be right")


class RVQCodec(nn.Module):
    """Sound of one channel as codes, and back; its latents are the numbers of the transform.

    The codes of a frame are the loudness of every `together` blocks (2 dB a step, 64 steps), then
    class by class and stage by stage a code for each block. Codebooks are running means, so the
    codec learns from whatever passes through `quantise` with a generator; nothing has a gradient.
    """

    n_channels = 1

    def __init__(self, settings: RVQSettings, rate_hz: int) -> None:
        super().__init__()
        self.settings, self.rate_hz = settings, rate_hz
        self.frame_rate_hz = rate_hz / settings.hop
        self.n_latents = settings.hop
        self.transform = MDCT(settings.hop)
        kinds = list(zip(settings.stages, settings.n_blocks, settings.widths, strict=True))
        self.books = nn.ModuleList(
            ResidualCodebooks(n_stages, n, width, settings.rules) for n_stages, n, width in kinds
        )
        self.n_levels = sum(settings.n_blocks) // settings.together
        self.n_codes = self.n_levels + sum(n_stages * n for n_stages, n, _ in kinds)

    @property
    def bits_per_s(self) -> float:
        """Of all codes, each as long as its number of values needs."""
        each = math.log2(self.settings.rules.n_codes)
        a_frame = self.n_levels * math.log2(N_LEVELS) + (self.n_codes - self.n_levels) * each
        return a_frame * self.frame_rate_hz

    def encode(self, audio: Float[Tensor, "batch channel time"]) -> Encoded:
        """The numbers of the transform, exactly, and the codes nearest to them."""
        check_channels(audio, self.n_channels, "rvq")
        numbers = self.transform.forward(audio[:, 0])
        _, codes = self.quantise(numbers)
        return Encoded(numbers.transpose(1, 2), codes, None, audio.shape[2])

    def decode(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the numbers: exact, if they are as they were."""
        numbers = encoded.latents.transpose(1, 2)
        return self.transform.inverse(numbers, encoded.n_samples)[:, None]

    def decode_codes(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the codes alone."""
        if encoded.codes is None:
            raise BadCall("no codes to decode; give what `encode` of this codec gave")
        numbers = self.look_up(encoded.codes)
        return self.transform.inverse(numbers, encoded.n_samples)[:, None]

    def quantise(
        self,
        numbers: Float[Tensor, "batch frame number"],
        generator: torch.Generator | None = None,
        n_stages: int | None = None,
    ) -> tuple[Float[Tensor, "batch frame number"], Int[Tensor, "batch code frame"]]:
        """The numbers that the codes stand for, and the codes; with a `generator` the books learn.

        With `n_stages`, sums stop after so many codes, and the rest of the codes are left out.
        """
        batch, n_frames, _ = numbers.shape
        levels, steps = self._levels(numbers)
        found, codes, at, place = [], [steps.transpose(1, 2)], 0, 0
        for books, n, width in self._kinds():
            part = numbers[:, :, place : place + n * width]
            scale = levels[:, :, at : at + n // self.settings.together]
            scale = scale.repeat_interleave(self.settings.together, 2)[..., None]
            blocks = part.reshape(batch, n_frames, n, width) / scale
            stages = len(books.stages)
            grouped = blocks.permute(2, 0, 1, 3).reshape(n, batch * n_frames, width)
            made = books(grouped, generator, min(n_stages or stages, stages))
            codes.append(_by_frame(made.codes, batch))
            back = made.vectors.view(n, batch, n_frames, width).permute(1, 2, 0, 3)
            found.append((back * scale).reshape(batch, n_frames, n * width))
            at, place = at + n // self.settings.together, place + n * width
        return torch.cat(found, 2), torch.cat(codes, 1)

    def look_up(
        self, codes: Int[Tensor, "batch code frame"]
    ) -> Float[Tensor, "batch frame number"]:
        """The numbers that all the codes of a frame stand for."""
        if codes.shape[1] != self.n_codes:
            raise BadCall(f"{codes.shape[1]} codes a frame; this codec has {self.n_codes}")
        batch, _, n_frames = codes.shape
        levels = _level(codes[:, : self.n_levels].transpose(1, 2))
        found, at, first = [], 0, self.n_levels
        for books, n, width in self._kinds():
            stages = len(books.stages)
            own = codes[:, first : first + stages * n].view(batch, stages, n, n_frames)
            grouped = own.permute(1, 2, 0, 3).reshape(stages, n, batch * n_frames)
            blocks = books.look_up(grouped).view(n, batch, n_frames, width).permute(1, 2, 0, 3)
            scale = levels[:, :, at : at + n // self.settings.together]
            scale = scale.repeat_interleave(self.settings.together, 2)[..., None]
            found.append((blocks * scale).reshape(batch, n_frames, n * width))
            at, first = at + n // self.settings.together, first + stages * n
        return torch.cat(found, 2)

    def _kinds(self) -> list[tuple[ResidualCodebooks, int, int]]:
        settings = self.settings
        return list(zip(self.books, settings.n_blocks, settings.widths, strict=True))  # type: ignore[arg-type]

    def _levels(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The loudness of every `together` blocks, as codes have it, and its number."""
        together, found, place = self.settings.together, [], 0
        for n, width in zip(self.settings.n_blocks, self.settings.widths, strict=True):
            part = numbers.detach()[:, :, place : place + n * width]
            blocks = part.reshape(*part.shape[:2], n // together, together * width)
            found.append((blocks**2).mean(3))
            place += n * width
        level_db = 10 * torch.log10(torch.cat(found, 2).clamp(min=1e-20))
        steps = ((LOUDEST_DB - level_db) / LEVEL_STEP_DB).round().clamp(0, N_LEVELS - 1).long()
        return _level(steps), steps


def _level(steps: Tensor) -> Tensor:
    """Root mean squares by the numbers of their steps; that of the last is silence to the ear."""
    return 10 ** ((LOUDEST_DB - LEVEL_STEP_DB * steps.float()) / 20)


def _by_frame(codes: Int[Tensor, "stage block n"], batch: int) -> Int[Tensor, "batch code frame"]:
    n_stages, n, _ = codes.shape
    apart = codes.view(n_stages, n, batch, -1).permute(2, 0, 1, 3)
    return apart.reshape(batch, n_stages * n, -1)


def load_rvq(weights: Path | str | None = None) -> RVQCodec:
    """The codec, from the file of a trained rqvae, which holds it; by default the one that ships.

    Raises:
        MissingWeights: no such file.
        BadFile: it holds no codec, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = find_weights(WEIGHTS, weights)
    try:
        model = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["model"]
        table, rate_hz = model["settings"][PART], int(model["settings"]["rate_hz"])
        with safe_open(path, framework="pt") as opened:
            names = [name for name in opened.keys() if name.startswith(f"{PART}.")]  # noqa: SIM118
            tensors = {name[len(PART) + 1 :]: opened.get_tensor(name) for name in names}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{path}: holds no codec ({error}); expected a trained rqvae") from None
    codec = RVQCodec(build(RVQSettings, table, f"{path} {PART}"), rate_hz)
    try:
        codec.load_state_dict(tensors)
    except RuntimeError:
        raise BadFile(f"{path}: its codec is not as its card says; copy both anew") from None
    return codec.eval()
