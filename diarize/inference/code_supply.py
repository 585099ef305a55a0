"""Windows of codes to train a model of codes on, made of stems once and for all.

A supply must make codes as inference does, so it lives here and not among the corpora. To make them
anew at each step took as long as all the rest of the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64

from diarize.codecs.coarse import WEIGHTS, CoarseCodec, load_coarse
from diarize.config import at_least
from diarize.corpora.chance import generator_of
from diarize.corpora.code_windows import CodeWindows
from diarize.corpora.stem_sets import FOLDER as STEMS
from diarize.errors import BadFile
from diarize.formats.code_files import ENDING, Codes, read_codes, save_codes
from diarize.formats.tracks import TrackFiles, find_tracks, read_samples

FOLDER = "codes"
PIECE = 2048  # frames that are made codes at a time, so that long songs take no more memory


@dataclass(frozen=True)
class CodeSettings:
    """The settings of a supply of codes, in the [data] table.

    Attributes:
        weights: of the codec: a file that `diarize train` wrote, or the name of those that ship.
        parts: of the stems in the data folder, those that are made codes.
        train_part: that windows are taken from.
        n_frames: of a window.      batch: windows in each.
        seed: of all that is drawn.
    """

    corpus: Literal["codes"] = "codes"
    weights: str = WEIGHTS
    parts: tuple[str, ...] = ("train", "validation")
    train_part: str = "train"
    n_frames: int = 256
    batch: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, n_frames=2, batch=1)


class CodeSupply:
    """Hands out windows of what `diarize prepare codes` left; a `Supply`, the same for any phase.

    An epoch has every song's windows once, in an order of chance; where in a song the first begins
    is drawn anew for each epoch.
    """

    settings_type = CodeSettings

    def __init__(self, folder: Path | str, settings: CodeSettings) -> None:
        """The supply of the part to train on.

        Raises:
            BadFile: no codes of that codec, or fewer windows than a batch.
        """
        self.settings = settings
        self.codec = load_coarse(settings.weights).name
        self.place = Path(folder) / FOLDER / self.codec / settings.train_part
        self.paths = sorted(self.place.glob(f"*{ENDING}"))
        if not self.paths:
            raise BadFile(f"{self.place}: no codes; run diarize prepare codes first")

    @cached_property
    def _songs(self) -> list[Int64[np.ndarray, "slot _frame"]]:
        return [read_codes(path).codes for path in self.paths]

    @cached_property
    def _windows(self) -> list[tuple[int, int]]:
        """The song of each window, and its number there."""
        n_each = [song.shape[1] // self.settings.n_frames for song in self._songs]
        found = [(song, number) for song, n in enumerate(n_each) for number in range(n)]
        if len(found) < self.settings.batch:
            raise BadFile(
                f"{self.place}: {len(found)} windows of {self.settings.n_frames} frames; "
                f"a batch of {self.settings.batch} would be right"
            )
        return found

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch has; what is left over when they are full waits."""
        return len(self._windows) // self.settings.batch

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[CodeWindows]:
        """The batches of epoch `epoch` (from 0), from number `start` on."""
        chance = generator_of(self.settings.seed, phase, epoch)
        order, size = chance.permutation(len(self._windows)), self.settings.batch
        firsts = [int(chance.integers(song.shape[1] % self._n + 1)) for song in self._songs]
        for number in range(start, self.n_batches(phase)):
            rows = []
            for one in order[number * size : (number + 1) * size]:
                song, place = self._windows[one]
                begin = firsts[song] + place * self._n
                rows.append(self._songs[song][:, begin : begin + self._n])
            codes = torch.from_numpy(np.stack(rows))
            yield CodeWindows(codes, codec=torch.full((size,), int(self.codec, 16)))

    @property
    def _n(self) -> int:
        return self.settings.n_frames


def prepare_codes(
    folder: Path, settings: CodeSettings, part: tuple[int, int] | None = None
) -> Path:
    """Make codes of the stems in the data folder that are none yet; return the folder of them.

    `part` (2, 3) does every third song from the second on.

    Raises:
        MissingWeights, BadFile: no codec, or no stems.
    """
    codec = load_coarse(settings.weights)
    place = folder / FOLDER / codec.name
    number, of = part or (1, 1)
    for name in settings.parts:
        for song in find_tracks(folder / STEMS / name, codec.settings.sources)[number - 1 :: of]:
            path = place / name / f"{song.name}{ENDING}"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                save_codes(path, codes_of(codec, song))
    return place


@torch.no_grad()
def codes_of(codec: CoarseCodec, song: TrackFiles) -> Codes:
    """The codes of a whole song, which has all stems.

    Raises:
        BadFile: it is at another rate than the codec's.
    """
    if song.rate_hz != codec.rate_hz:
        raise BadFile(f"{song.name}: {song.rate_hz} Hz; this codec takes {codec.rate_hz} Hz")
    found, n_samples = [], PIECE * codec.settings.hop
    for start in range(0, song.n_samples, n_samples):
        paths = [song.stems[name] for name in codec.settings.sources]
        rows = [read_samples(path, start, n_samples).mean(axis=0) for path in paths]
        encoded = codec.encode(torch.from_numpy(np.stack(rows))[None]).codes
        assert encoded is not None
        found.append(encoded[0].numpy())
    return Codes(np.concatenate(found, 1), codec.name, song.n_samples)
