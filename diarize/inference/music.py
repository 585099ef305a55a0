"""Music made of codes: from nothing, on from a beginning, or where some of it is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int
from torch import Tensor

from diarize.audio.frames import to_samples
from diarize.audio.resample import resample
from diarize.codecs.coarse import CoarseCodec, find_trained
from diarize.codecs.contract import Encoded
from diarize.errors import BadCall, BadFile
from diarize.formats.code_files import ENDING, Codes, read_codes
from diarize.formats.tracks import Tracks, read_samples, read_track
from diarize.models.rqtransformer.model import RQTransformer
from diarize.models.rqtransformer.sampling import Drawing, complete, generate
from diarize.training.shipped import as_module, load_model

DEFAULT_MODEL = "rqtransformer"


@dataclass(frozen=True)
class Music:
    """A piece of music: its codes, and what they sound like, a stem each."""

    codes: Codes
    tracks: Tracks

    @property
    def mixture(self) -> Float32[np.ndarray, "1 time"]:
        """The sum of the stems, which may be above full scale."""
        return np.stack(list(self.tracks.samples.values())).sum(axis=0)


@dataclass(frozen=True)
class Missing:
    """What of given music is to be made anew.

    Attributes:
        start_s, end_s: the stretch; by default all of it.
        stems: the stems that are missing there; empty: all.
    """

    start_s: float = 0.0
    end_s: float | None = None
    stems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.start_s < 0 or (self.end_s is not None and self.end_s <= self.start_s):
            told = "the end" if self.end_s is None else f"{self.end_s:g}"
            raise BadCall(f"missing from {self.start_s:g} to {told} s; 0 <= start < end is right")


class MusicMaker:
    """Makes music with a trained rqtransformer. Loads it once.

    All that is heard is made of codes: given music comes out as its codes have it.
    """

    def __init__(self, model: str | Path = DEFAULT_MODEL, device: str = "cpu") -> None:
        """With the weights in a file, or those that ship.

        Raises:
            MissingWeights, BadFile: no such file, or it is of another model.
        """
        path = find_trained(model)
        found = as_module(load_model(path))
        if not isinstance(found, RQTransformer):
            kind = type(found).__name__
            raise BadFile(f"{path}: a {kind}, which makes no music; expected an rqtransformer")
        self.model = found.to(device)
        self.codec: CoarseCodec = found.codec
        self.sources: tuple[str, ...] = found.sources
        self.rate_hz: int = found.rate_hz

    @property
    def longest_s(self) -> float:
        """The longest music that can be made at a time."""
        return self.model.n_frames / self.codec.frame_rate_hz

    def frames(self, seconds: float | None) -> int:
        """How many frames so many seconds are, at least in part; None: as many as can be.

        Raises:
            BadCall: more than the model was trained on, or none.
        """
        if seconds is None:
            return self.model.n_frames
        if not seconds > 0:
            raise BadCall(f"{seconds:g} s of music; above 0 would be right")
        n_frames = self.codec.n_frames(to_samples(seconds, self.rate_hz))
        self.model.check_frames(n_frames)
        return n_frames

    def make(
        self,
        n: int = 1,
        seconds: float | None = None,
        *,
        seed: int = 0,
        drawing: Drawing | None = None,
        beginning: Codes | None = None,
    ) -> list[Music]:
        """`n` pieces of `seconds` (None: as long as can be), after a beginning if there is one.

        Raises:
            BadCall: longer than the model was trained on; a beginning as long as that; codes of
                another codec.
        """
        if n < 1:
            raise BadCall(f"{n} pieces of music; 1 or more would be right")
        n_frames = self.frames(seconds)
        given = None if beginning is None else self._own(beginning)
        made = generate(self.model, n, n_frames, self._chance(seed), drawing, given)
        return [self.sound(one, n_frames * self.codec.settings.hop) for one in made]

    def fill(
        self,
        given: Codes,
        missing: Missing,
        n: int = 1,
        *,
        seed: int = 0,
        drawing: Drawing | None = None,
    ) -> list[Music]:
        """`n` times the given music, with what is missing made anew.

        Raises:
            BadCall: codes of another codec, a stem that there is not, a stretch outside.
        """
        codes = self._own(given)
        known = self.known(codes.shape[1], missing)
        many = codes.expand(n, -1, -1).contiguous()
        is_known = known.expand(n, -1, -1).to(codes.device)
        made = complete(self.model, many, is_known, self._chance(seed), drawing)
        return [self.sound(one, given.n_samples) for one in made]

    def known(self, n_frames: int, missing: Missing) -> Bool[Tensor, "frame stem"]:
        """What of so many frames is not missing."""
        for stem in missing.stems:
            if stem not in self.sources:
                raise BadCall(f"no stem {stem!r}; there are {', '.join(self.sources)}")
        lasts_s = n_frames / self.codec.frame_rate_hz
        end_s = lasts_s if missing.end_s is None else missing.end_s
        if missing.start_s >= lasts_s:
            raise BadCall(f"missing from {missing.start_s:g} s on, of {lasts_s:.2f} s in all")
        first = int(missing.start_s * self.codec.frame_rate_hz)
        end = min(n_frames, -int(-end_s * self.codec.frame_rate_hz // 1))
        known = torch.ones(n_frames, len(self.sources), dtype=torch.bool)
        for number, name in enumerate(self.sources):
            if not missing.stems or name in missing.stems:
                known[first:end, number] = False
        return known

    @torch.no_grad()
    def encode(self, tracks: Tracks) -> Codes:
        """The codes of stems; those that are not there are silent.

        Raises:
            BadCall: none of the model's stems, or more sound than it was trained on.
        """
        there = [tracks.samples[name] for name in self.sources if name in tracks.samples]
        if not there:
            found = ", ".join(tracks.samples) or "none"
            raise BadCall(f"stems {found}; one of {', '.join(self.sources)} would be right")
        silence = np.zeros_like(there[0])
        stems = [tracks.samples.get(name, silence).mean(axis=0) for name in self.sources]
        if tracks.rate_hz != self.rate_hz:
            stems = [resample(one, tracks.rate_hz, self.rate_hz) for one in stems]
        sound = torch.from_numpy(np.stack(stems).astype(np.float32))
        device = next(self.model.parameters()).device
        codes = self.model.codes(sound[None].to(device))[0]
        return Codes(codes.cpu().numpy(), self.codec.name, sound.shape[1])

    @torch.no_grad()
    def sound(self, codes: Int[Tensor, "slot frame"], n_samples: int) -> Music:
        """What codes sound like."""
        empty = torch.zeros(1, self.codec.n_latents, codes.shape[1])
        encoded = Encoded(empty, codes[None], None, n_samples)
        made: Float32[np.ndarray, "stem time"] = self.codec.decode_codes(encoded)[0].cpu().numpy()
        samples = {name: one[None] for name, one in zip(self.sources, made, strict=True)}
        held = Codes(codes.cpu().numpy(), self.codec.name, n_samples)
        return Music(held, Tracks(samples, self.rate_hz))

    def read(self, path: Path | str, longest_s: float | None = None) -> Codes:
        """The codes of a folder of stems, or those in a file of codes.

        Raises:
            BadFile: it is neither; its codes are of another codec.
        """
        path = Path(path)
        if path.is_dir():
            return self.encode(_stems_of(path, self.sources, longest_s))
        if path.suffix != ENDING:
            raise BadFile(
                f"{path}: neither a folder of stems nor a file {ENDING}; "
                "`diarize separate` makes stems of a song"
            )
        codes = read_codes(path)
        try:
            self._own(codes)
        except BadCall as error:
            raise BadFile(f"{path}: {error}") from None
        return codes

    def _own(self, codes: Codes) -> Int[Tensor, "slot frame"]:
        if codes.codec != self.codec.name:
            raise BadCall(f"codes of the codec {codes.codec}; this model's is {self.codec.name}")
        self.model.check_frames(codes.codes.shape[1])
        return torch.from_numpy(codes.codes).to(next(self.model.parameters()).device)

    def _chance(self, seed: int) -> torch.Generator:
        return torch.Generator(next(self.model.parameters()).device).manual_seed(seed)


def _stems_of(folder: Path, sources: tuple[str, ...], longest_s: float | None) -> Tracks:
    """The stems in a folder, or their first seconds."""
    files = read_track(folder)
    wanted = {name: path for name, path in files.stems.items() if name in sources}
    if not wanted:
        raise BadFile(
            f"{folder}: no {', '.join(sources)} in it; its stems: {', '.join(files.stems)}"
        )
    n_samples = -1 if longest_s is None else to_samples(longest_s, files.rate_hz)
    samples = {name: read_samples(path, 0, n_samples) for name, path in wanted.items()}
    return Tracks(samples, files.rate_hz)
