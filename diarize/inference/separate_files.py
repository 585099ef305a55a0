"""Many songs, one after another, each to files that appear together or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float64

from diarize.audio.activity import Levels, playing
from diarize.errors import BadCall, BadFile, DiarizeError, fault
from diarize.formats.rttm import save_rttm
from diarize.formats.tracks import SUBTYPES
from diarize.formats.whole import whole
from diarize.inference.separate import Progress, Separator, check_subtype
from diarize.inference.separate_blind import BlindSeparator
from diarize.inference.separate_input import open_song
from diarize.inference.separate_names import save_names
from diarize.inference.separate_stream import Stems
from diarize.inference.sources import Source

PLACES = ("track", "stem", "ext")
UNNAMED = "component_1"  # the first stem of a separator that does not know what it found
ABSENT_DB = -40.0  # of the mixture's energy: a component softer than this is likely no source
BLOCK_SAMPLES = 2**15  # of a channel, written at a time: more at once makes ogg use the stack up


@dataclass(frozen=True)
class FileSettings:
    """Where stems go, and as what.

    Attributes:
        folder: that all names start in.
        name: of each file, with {track}, {stem} and {ext}.
        kind: wav, flac or ogg.
        subtype: how samples are held; None: the first that the kind has.
        rttm: whether {track}.rttm says when each instrument plays.
        fresh: whether songs whose files are all there are done again.
        names: whether {track}.names.json says what components without names are.
    """

    folder: Path
    name: str = "{track}/{stem}.{ext}"
    kind: str = "wav"
    subtype: str | None = None
    rttm: bool = False
    fresh: bool = False
    names: bool = True

    def __post_init__(self) -> None:
        if self.kind not in SUBTYPES:
            raise BadCall(f"no format {self.kind!r}; there are {', '.join(SUBTYPES)}")
        if self.subtype is not None and self.subtype not in SUBTYPES[self.kind]:
            there = ", ".join(SUBTYPES[self.kind])
            raise BadCall(f"no {self.subtype!r} in {self.kind}; there is {there}")
        for place in ("{track}", "{stem}"):
            if place not in self.name:
                raise BadCall(f"the name {self.name!r} lacks {place}; files would be one")
        try:
            made = Path(self.name.format(track="a", stem="b", ext="c"))
        except (KeyError, IndexError, ValueError) as error:
            places = ", ".join("{" + place + "}" for place in PLACES)
            raise BadCall(f"the name {self.name!r} ({error}); there are {places}") from None
        if made.is_absolute() or ".." in made.parts:
            raise BadCall(f"the name {self.name!r} leads out of the folder; leave / and .. out")

    @property
    def held(self) -> str:
        """How samples are held."""
        return self.subtype or next(iter(SUBTYPES[self.kind]))

    def path(self, track: str, stem: str) -> Path:
        """Where a stem goes."""
        return self.folder / self.name.format(track=track, stem=stem, ext=self.kind)

    def rttm_path(self, track: str) -> Path:
        """Where it is said when each instrument plays."""
        return self.folder / f"{track}.rttm"

    def names_path(self, track: str) -> Path:
        """Where it is said which instrument each component is."""
        return self.folder / f"{track}.names.json"

    def spread_path(self, track: str) -> Path:
        """Where it is said, of a separator that draws, how far its samples lie apart."""
        return self.folder / f"{track}.uncertainty.csv"


@dataclass(frozen=True)
class Separated:
    """What became of a song: skipped, failed with an error, or done."""

    source: Source
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    error: DiarizeError | None = None
    skipped: bool = False


def check_places(inputs: Sequence[str], folder: Path) -> None:
    """See that stems will not lie among the songs, where a next call would take them for songs.

    Raises:
        BadCall: the output folder is one of the inputs, or lies in one.
    """
    target = folder.resolve()
    for name in inputs:
        place = Path(name)
        if name and place.is_dir() and target.is_relative_to(place.resolve()):
            raise BadCall(
                f"-o {folder} lies in the input {name}; choose a folder outside, lest stems be "
                "taken for songs next time"
            )


def separate_all(
    sources: Sequence[Source],
    separator: Separator | BlindSeparator,
    settings: FileSettings,
    progress: Progress | None = None,
) -> Iterator[Separated]:
    """Take each song apart; say what became of it. No error of one song stops the others."""
    if separator.settings.sum_to_mix:
        check_subtype(settings.held)
    for source in sources:
        wanted = [settings.path(source.stem, stem) for stem in separator.stems]
        told = [settings.rttm_path(source.stem)] if settings.rttm else []
        if settings.names and separator.stems[0] == UNNAMED:
            told.append(settings.names_path(source.stem))
        if not settings.fresh and all(path.exists() for path in (*wanted, *told)):
            yield Separated(source, skipped=True)
            continue
        try:
            yield _one(source, separator, settings, wanted, progress)
        except DiarizeError as error:
            yield Separated(source, error=error)
        except Exception as error:
            failed = BadFile(f"{source.path}: {fault(error)}")
            failed.__cause__ = error
            yield Separated(source, error=failed)


def _one(
    source: Source,
    separator: Separator | BlindSeparator,
    settings: FileSettings,
    wanted: list[Path],
    progress: Progress | None,
) -> Separated:
    if source.path is None:
        raise BadCall("-: a song cannot come from standard input; name a file")
    song = open_song(source.path)
    levels = Levels(len(wanted), song.rate_hz)
    kept = _Kept(song.rate_hz, song.n_channels, settings)
    energy = np.zeros(len(wanted) + 1)
    with contextlib.ExitStack() as files:
        kept.open(wanted, files)
        for piece in separator.stream(song, progress, settings.held):
            kept.write(piece.stems)
            rows = [*piece.stems, piece.mixture]
            energy += [np.square(row, dtype=np.float64).sum() for row in rows]
            if settings.rttm:
                levels.add(piece.stems)
    if settings.rttm:
        turns = playing(levels, separator.stems)
        save_rttm(settings.rttm_path(source.stem), {source.recording: turns})
    if isinstance(separator, Separator) and separator.spread is not None:
        separator.spread.save(settings.spread_path(source.stem))
    notes = list(kept.notes())
    if separator.stems[0] == UNNAMED:
        notes += _absent(separator.stems, energy)
        if settings.names:
            components = dict(zip(separator.stems, wanted, strict=True))
            notes += save_names(settings.names_path(source.stem), components)
    return Separated(source, tuple(wanted), tuple(notes))


def _absent(names: Sequence[str], energy: Float64[np.ndarray, " _row"]) -> tuple[str, ...]:
    """A word on each component that is hardly there; `energy` ends with that of the mixture."""
    level_db = 10 * np.log10((energy[:-1] + 1e-12) / (energy[-1] + 1e-12))
    return tuple(
        f"{name} is {level:.0f} dB of the mixture: likely no source"
        for name, level in zip(names, level_db, strict=True)
        if level < ABSENT_DB
    )


@dataclass
class _Kept:
    """The files of a song while they are written."""

    rate_hz: int
    n_channels: int
    settings: FileSettings
    files: list[soundfile.SoundFile] = field(default_factory=list)
    n_beyond: int = 0
    highest: float = 0.0

    def open(self, paths: list[Path], stack: contextlib.ExitStack) -> None:
        """Begin a file for each; all take their names when the stack is left without an error."""
        settings = self.settings
        for path in paths:
            unfinished = stack.enter_context(whole(path))
            try:
                opened = soundfile.SoundFile(
                    unfinished,
                    "w",
                    self.rate_hz,
                    self.n_channels,
                    format=settings.kind.upper(),
                    subtype=SUBTYPES[settings.kind][settings.held],
                )
            except soundfile.LibsndfileError as error:
                raise BadFile(
                    f"{path}: {self.n_channels} channels at {self.rate_hz} Hz cannot be "
                    f"{settings.kind} ({error.error_string}); --format wav takes more"
                ) from None
            self.files.append(stack.enter_context(opened))

    def write(self, stems: Stems) -> None:
        """Add a piece to each file."""
        peak = float(np.abs(stems).max(initial=0))
        self.highest = max(self.highest, peak)
        if peak > 1:
            self.n_beyond += int((np.abs(stems) > 1).sum())
        for file, stem in zip(self.files, stems, strict=True):
            for start in range(0, stem.shape[1], BLOCK_SAMPLES):
                file.write(stem[:, start : start + BLOCK_SAMPLES].T)

    def notes(self) -> tuple[str, ...]:
        """What is worth a word."""
        if not self.n_beyond or self.settings.held == "float32":
            return ()
        return (
            f"{self.n_beyond} samples of stems beyond full scale (up to {self.highest:.2f}) are "
            "held there; wav with --subtype float32 keeps them",
        )
