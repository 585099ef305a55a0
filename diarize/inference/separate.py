"""The separator: a song in, a sound for each instrument out, at the song's own rate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from diarize.audio.frames import to_samples
from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import Tracks
from diarize.inference.memory import give_back
from diarize.inference.separate_input import Song, open_song, song_of_array
from diarize.inference.separate_passes import check_passes, in_passes
from diarize.inference.separate_samples import SpreadTrack
from diarize.inference.separate_second import NONE, check_second, joined
from diarize.inference.separate_stream import Piece, Sound, Stems, Windows, separated
from diarize.inference.separate_sum import STEPS, in_two, summed
from diarize.models.contract import FinishedSeparator
from diarize.models.contract import Separator as SeparatorModel
from diarize.training.shipped import load_model
from diarize.weights import named_weights

DEFAULT_MODEL = "rqvae"
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class SeparatorSettings:
    """All that decides the stems besides the song: the `[infer]` table of a conf.

    Attributes:
        model: a file of trained weights, or the name of weights that ship.
        output: of an rqvae: "mixture", shares of the mixture; "codes", the sound of codes alone,
            nothing of the mixture gets by. None: as it was trained.
        window_s: seconds that the model hears at a time; None: as many as it was trained on.
        overlap: share of a window that it has in common with the next.
        passes: how often each window is heard, each time in another key (`separate_passes`); the
            answer is the mean. None: as often as the model was made for.
        stems: which are wanted; empty: all.
        two_stems: the name of one: that, and "no_" and its name, all but that.
        sum_to_mix: whether the stems add up to the mixture exactly.
        steps, seed: of a model that samples, such as composable. None: as many steps as it was
            made for.
        adapt_steps: of a model with shares, for how many steps these are fitted to the recording
            itself, which takes no label; 0: not at all. None: as it was made for.
        second: weights of another separator of the same stems that is heard besides; "none": no
            other. None: as the model was made for.
        samples: of such a model, how many are drawn of each window; their mean is the answer, and
            how far they lie apart is kept a second.
    """

    model: str = DEFAULT_MODEL
    output: Literal["mixture", "codes"] | None = None
    window_s: float | None = None
    overlap: float = 0.25
    passes: int | None = None
    stems: tuple[str, ...] = ()
    two_stems: str | None = None
    sum_to_mix: bool = False
    steps: int | None = None
    seed: int = 0
    samples: int = 1
    adapt_steps: int | None = None
    second: str | None = None

    def __post_init__(self) -> None:
        if self.steps is not None and not 1 <= self.steps <= 1000:
            raise BadCall(f"steps is {self.steps}; it must be from 1 to 1000")
        if self.adapt_steps is not None and not 0 <= self.adapt_steps <= 1000:
            raise BadCall(f"adapt_steps is {self.adapt_steps}; it must be from 0 to 1000")
        if not 1 <= self.samples <= 100:
            raise BadCall(f"samples is {self.samples}; it must be from 1 to 100")
        if self.window_s is not None and not 0.1 <= self.window_s <= 120:
            raise BadCall(f"window_s is {self.window_s}; it must be from 0.1 to 120 seconds")
        if not 0 <= self.overlap <= 0.5:
            raise BadCall(f"overlap is {self.overlap}; it must be from 0 to 0.5")
        if self.passes is not None:
            check_passes(self.passes)
            if self.passes > 1 and self.samples > 1:
                raise BadCall("samples and passes are both above 1; choose one")
        if self.stems and self.two_stems:
            raise BadCall("stems and two_stems are both set; choose one")


class Separator:
    """Takes songs apart. Loads its model once.

    >>> Separator(SeparatorSettings(overlap=0.9))
    Traceback (most recent call last):
    diarize.errors.BadCall: overlap is 0.9; it must be from 0 to 0.5
    """

    def __init__(self, settings: SeparatorSettings | None = None, device: str = "cpu") -> None:
        self.settings = settings or SeparatorSettings()
        self._model = _loaded(self.settings, device)
        self._second = _second(self.settings, self._model, device)
        self._device = next(self._model.parameters()).device  # type: ignore[attr-defined]
        self.sources = self._model.sources
        self.stems = self._wanted()
        self.spread: SpreadTrack | None = None  # of the song that was begun last

    def __call__(
        self,
        source: str | Path | Any,
        rate_hz: int | None = None,
        progress: Progress | None = None,
    ) -> Tracks:
        """The stems of a file, or of an array (time,) or (channel, time), which needs `rate_hz`.

        They are at the song's own rate, with its own channels, and as long as it is.

        Raises:
            BadFile: the song cannot be used.
            BadCall: an array without a rate, or of another shape.
        """
        if isinstance(source, str | Path):
            song = open_song(source)
        elif rate_hz is None:
            raise BadCall("an array without a rate; give rate_hz, its samples a second")
        else:
            song = song_of_array(source, rate_hz)
        pieces = [piece.stems for piece in self.stream(song, progress)]
        whole = np.concatenate(pieces, axis=2)
        return Tracks(dict(zip(self.stems, whole, strict=True)), song.rate_hz)

    def stream(
        self, song: Song, progress: Progress | None = None, subtype: str = "float32"
    ) -> Iterator[Piece]:
        """The stems that are wanted, in the order of `stems`, piece by piece, in little memory.

        With `sum_to_mix` they add up in files of `subtype`.
        """
        model = self._model
        length = max(2, to_samples(self.settings.window_s or model.window_s, model.rate_hz))
        windows = Windows(length, int(length * self.settings.overlap))
        if self.settings.samples > 1:
            hop = windows.length - windows.overlap
            self.spread = SpreadTrack(self.sources, model.rate_hz, hop)
        done = 0
        for piece in separated(song.blocks, song.rate_hz, model.rate_hz, self._hear, windows):
            yield self._chosen(piece, subtype)
            done += piece.mixture.shape[1]
            if progress is not None and song.n_samples:
                progress("separation", min(1.0, done / song.n_samples))

    def _hear(self, window: Sound) -> Stems:
        """The stems of each channel, at the model's rate: the mean over the passes."""
        model = self._model
        passes = self.settings.passes or int(getattr(model, "passes", 1))
        heard = in_passes(window, self._separate, passes)
        if self._second is not None:
            other, share = self._second
            give_back()
            with torch.inference_mode():
                mixture = torch.from_numpy(np.ascontiguousarray(window)).to(self._device)
                found = _heard_by(other, mixture)[[other.sources.index(n) for n in self.sources]]
            heard = joined(window, heard, found, share, model.rate_hz)
        if not isinstance(model, FinishedSeparator):
            return heard
        with torch.inference_mode():
            rows = (torch.from_numpy(window), torch.from_numpy(heard).transpose(0, 1))
            made = model.finish(*(one.to(self._device) for one in rows)).float().cpu().numpy()
        give_back()
        return np.ascontiguousarray(made.transpose(1, 0, 2))

    @torch.inference_mode()
    def _separate(self, window: Sound) -> Stems:
        """The stems of each channel, at the model's rate."""
        model = self._model
        mixture = torch.from_numpy(np.ascontiguousarray(window)).to(self._device)
        if self.spread is None:
            return _heard_by(model, mixture)
        drawn = []
        for number in range(self.settings.samples):
            self._model.seed = self.settings.seed + number  # type: ignore[attr-defined]
            drawn.append(self._model.separate(mixture[:, None]).float().cpu().numpy())
        samples = np.stack(drawn).transpose(0, 2, 1, 3)
        self.spread.add(samples)
        return np.ascontiguousarray(samples.mean(0))

    def _wanted(self) -> tuple[str, ...]:
        settings, there = self.settings, ", ".join(self.sources)
        for name in (*settings.stems, *([settings.two_stems] if settings.two_stems else [])):
            if name not in self.sources:
                raise BadCall(f"no stem {name!r}; there are {there}")
        if settings.two_stems:
            return (settings.two_stems, f"no_{settings.two_stems}")
        return tuple(dict.fromkeys(settings.stems)) or self.sources

    def _chosen(self, piece: Piece, subtype: str) -> Piece:
        """Of all stems those that are wanted, and as they are wanted."""
        settings = self.settings
        if settings.sum_to_mix and not settings.two_stems:
            piece = summed(piece, subtype)
        if settings.two_stems:
            piece = in_two(piece, self.sources.index(settings.two_stems))
            return summed(piece, subtype) if settings.sum_to_mix else piece
        if self.stems == self.sources:
            return piece
        numbers = [self.sources.index(name) for name in self.stems]
        return Piece(piece.mixture, piece.stems[numbers])


def _heard_by(model: SeparatorModel, mixture: torch.Tensor) -> Stems:
    """A first answer for each channel."""
    hear = model.hear if isinstance(model, FinishedSeparator) else model.separate
    return hear(mixture[:, None]).float().cpu().numpy().transpose(1, 0, 2)


def check_subtype(subtype: str) -> None:
    """Refuse a way to hold samples that stems cannot be made to add up in.

    Raises:
        BadCall: it is none of those.
    """
    if subtype not in STEPS:
        raise BadCall(
            f"stems cannot add up exactly as {subtype}; {', '.join(STEPS)} would be right"
        )


def _loaded(settings: SeparatorSettings, device: str) -> SeparatorModel:
    path = named_weights(settings.model)
    model = load_model(path)
    if not isinstance(model, SeparatorModel):
        raise BadFile(f"{path}: a {type(model).__name__}, which separates nothing; try rqvae")
    if settings.output is not None:
        choices = getattr(model, "outputs", ())
        if settings.output not in choices:
            there = ", ".join(choices) or "no choice"
            raise BadCall(f"output is {settings.output!r}; {path} has {there}")
        model.output = settings.output  # type: ignore[attr-defined]
    if not hasattr(model, "n_steps"):
        if settings.steps is not None or settings.samples > 1:
            raise BadCall(
                f"{path}: a {type(model).__name__} draws nothing; leave steps and samples out"
            )
    else:
        model.n_steps = settings.steps or model.n_steps
        model.seed = settings.seed  # type: ignore[attr-defined]
    if settings.adapt_steps is not None:
        _adapt(model, settings.adapt_steps, path)
    return model.to(device)  # type: ignore[attr-defined]


def _second(
    settings: SeparatorSettings, first: SeparatorModel, device: str
) -> tuple[SeparatorModel, float] | None:
    """Who is heard besides, and how much its answer counts."""
    made_for = getattr(first, "second", None)
    name = settings.second or (made_for.weights if made_for else NONE)
    if name == NONE:
        return None
    if made_for is None:
        raise BadCall(f"second = {name!r} beside a {type(first).__name__}; rqvae would be right")
    other = load_model(named_weights(name))
    if not isinstance(other, SeparatorModel):
        raise BadFile(f"{name}: a {type(other).__name__}, which separates nothing")
    check_second(first, other, name)
    return other.to(device), made_for.share  # type: ignore[attr-defined]


def _adapt(model: SeparatorModel, steps: int, path: Path) -> None:
    """Set for how many steps the model fits shares to a recording."""
    if not getattr(model, "adapts", False):
        raise BadCall(f"{path}: a model without shares to be fitted; leave adapt_steps out")
    model.adapt = dataclasses.replace(model.adapt, steps=steps)  # type: ignore[attr-defined]
