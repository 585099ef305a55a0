"""Songs in parts: a folder a song, in it a sound file for each stem, named as the stem is.

songs/first/bass.wav  songs/first/drums.wav  songs/second/bass.flac ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from jaxtyping import Float32

from diarize.errors import BadCall, BadFile
from diarize.formats.whole import whole

ENDINGS = (".wav", ".flac", ".ogg")
Format = Literal["wav", "flac", "ogg"]
SUBTYPES = {  # by format, then as settings call them
    "wav": {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"},
    "flac": {"int16": "PCM_16", "int24": "PCM_24"},
    "ogg": {"vorbis": "VORBIS"},
}
MIXTURES = ("mixture", "mix")  # names of what is no stem


@dataclass(frozen=True)
class Tracks:
    """The stems of a song: samples (channel, time) by name, all of one shape, full scale 1."""

    samples: Mapping[str, Float32[np.ndarray, "channel time"]]
    rate_hz: int

    def __post_init__(self) -> None:
        shapes = {one.shape for one in self.samples.values()}
        if len(shapes) > 1:
            raise BadCall(f"stems of shapes {sorted(shapes)}; expected one shape (channel, time)")

    @property
    def duration_s(self) -> float:
        """How long the song is; 0 without stems."""
        return next((one.shape[1] / self.rate_hz for one in self.samples.values()), 0.0)


@dataclass(frozen=True)
class TrackFiles:
    """A song on disk: its name, its stems' files by name, its mixture's if there is one.

    All files have one rate, length and number of channels.
    """

    name: str
    stems: Mapping[str, Path]
    mixture: Path | None
    rate_hz: int
    n_samples: int
    n_channels: int


def find_tracks(folder: Path | str, stems: Sequence[str] = ()) -> list[TrackFiles]:
    """The songs in `folder`, by name, each with all of `stems` (empty: with whatever it has).

    A folder that itself holds sound files is one song. Folders without sound files are passed
    over, files and folders beginning with a dot too.

    Raises:
        BadFile: no song; a stem that is lacking, there twice, or not as the song's others are.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadFile(f"{folder}: no such folder; expected one with a folder for each song")
    places = [folder] if _sounds(folder) else sorted(one for one in folder.iterdir() if _song(one))
    if not places:
        raise BadFile(f"{folder}: no song in it; expected folders of {', '.join(ENDINGS)} files")
    return [read_track(place, stems) for place in places]


def read_track(folder: Path, stems: Sequence[str] = ()) -> TrackFiles:
    """The song in a folder, checked but not decoded.

    Raises:
        BadFile: a stem that is lacking, there twice, or not as the song's others are.
    """
    found: dict[str, Path] = {}
    for path in _sounds(folder):
        if path.stem in found:
            raise BadFile(f"{folder}: {found[path.stem].name} and {path.name}; expected one")
        found[path.stem] = path
    mixtures = [found.pop(name) for name in MIXTURES if name in found]
    for name in stems:
        if name not in found:
            there = ", ".join(found) or "none"
            raise BadFile(f"{folder}: no {name}{'|'.join(ENDINGS)} in it; its stems: {there}")
    wanted = {name: found[name] for name in stems or sorted(found)}
    if not wanted:
        raise BadFile(f"{folder}: no stem in it; expected files such as drums.wav")
    facts = {path: _facts(path) for path in (*wanted.values(), *mixtures[:1])}
    first = next(iter(facts))
    for path, fact in facts.items():
        if fact != facts[first]:
            raise BadFile(f"{path}: {_told(fact)}; {first.name} has {_told(facts[first])}")
    rate_hz, n_samples, n_channels = facts[first]
    mixture = mixtures[0] if mixtures else None
    return TrackFiles(folder.name, wanted, mixture, rate_hz, n_samples, n_channels)


def read_samples(
    path: Path, start: int = 0, n_samples: int = -1
) -> Float32[np.ndarray, "channel time"]:
    """The samples of a sound file from `start` on: all of them, or `n_samples`.

    Raises:
        BadFile: it cannot be decoded, or holds samples that are not numbers.
    """
    try:
        samples, _ = soundfile.read(
            path, frames=n_samples, start=start, dtype="float32", always_2d=True
        )
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadFile(f"{path}: cannot be read as sound ({error})") from None
    if not np.isfinite(samples).all():
        raise BadFile(f"{path}: samples that are not numbers; write it anew")
    return np.ascontiguousarray(samples.T)


def save_samples(
    path: Path,
    samples: Float32[np.ndarray, "channel time"],
    rate_hz: int,
    subtype: str | None = None,
) -> None:
    """Write a sound file in the format of its ending, whole or not at all.

    `subtype` is int16 (the default but for ogg), int24 or float32. Samples beyond full scale are
    kept by float32 and held at full scale by the others.

    Raises:
        BadCall: an ending or a subtype that there is not.
        BadFile: it cannot be written.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in SUBTYPES:
        raise BadCall(f"{path}: format {kind!r}; expected one of {', '.join(SUBTYPES)}")
    subtype = subtype or next(iter(SUBTYPES[kind]))
    if subtype not in SUBTYPES[kind]:
        raise BadCall(f"{path}: {kind} as {subtype}; expected {' or '.join(SUBTYPES[kind])}")
    with whole(path) as unfinished:
        try:
            soundfile.write(
                unfinished,
                samples.T,
                rate_hz,
                format=kind.upper(),
                subtype=SUBTYPES[kind][subtype],
            )
        except soundfile.LibsndfileError as error:
            raise OSError(error.error_string) from None


def save_tracks(
    folder: Path | str, tracks: Tracks, kind: Format = "wav", subtype: str | None = None
) -> list[Path]:
    """Write every stem to `folder`, named as it is; return their paths.

    Raises:
        BadCall: a format or a subtype that there is not.
        BadFile: one cannot be written.
    """
    paths = []
    for name, samples in tracks.samples.items():
        paths.append(Path(folder) / f"{name}.{kind}")
        save_samples(paths[-1], samples, tracks.rate_hz, subtype)
    return paths


def _song(place: Path) -> bool:
    return place.is_dir() and not place.name.startswith(".") and bool(_sounds(place))


def _sounds(folder: Path) -> list[Path]:
    return sorted(
        one
        for one in folder.iterdir()
        if one.suffix.lower() in ENDINGS and not one.name.startswith(".") and one.is_file()
    )


def _facts(path: Path) -> tuple[int, int, int]:
    try:
        info = soundfile.info(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadFile(f"{path}: cannot be read as sound ({error})") from None
    return info.samplerate, info.frames, info.channels


def _told(fact: tuple[int, int, int]) -> str:
    rate_hz, n_samples, n_channels = fact
    channels = "1 channel" if n_channels == 1 else f"{n_channels} channels"
    return f"{n_samples} samples at {rate_hz} Hz, {channels}"
