"""Who spoke when in real recordings, and what is scored of them, as people keep it: RTTM and UEM.

A place is one file about many recordings, or a folder, however deep, of files about one or many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from diarize.corpora.faults import Faults
from diarize.errors import BadFile
from diarize.formats.text import recording_id
from diarize.formats.uem import read_uem

if TYPE_CHECKING:
    from pyannote.core import Annotation, Timeline

Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Told(Generic[Fact]):
    """What a place tells, by recording, and the file that each was read from.

    `silent` are files named for a recording that tell of none: by their stem as an id.
    """

    facts: dict[str, Fact]
    files: dict[str, Path]
    silent: dict[str, Path]


def read_references(
    place: Path, wanted: Iterable[str], faults: Faults | None = None
) -> Told[Annotation]:
    """Who spoke when, of the recordings `wanted` as far as the place tells; see `read_place`."""
    from diarize.formats.rttm import read_rttm

    return read_place(place, ".rttm", read_rttm, wanted, faults)


def read_regions(
    place: Path, wanted: Iterable[str], faults: Faults | None = None
) -> Told[Timeline]:
    """Which regions are scored, of the recordings `wanted` as far as the place tells."""
    return read_place(place, ".uem", read_uem, wanted, faults)


def read_place(
    place: Path,
    ending: str,
    read: Callable[[Path], dict[str, Fact]],
    wanted: Iterable[str],
    faults: Faults | None = None,
) -> Told[Fact]:
    """What the files of that ending tell. Files named for a recording are read first; the others
    only if some recording has none. A recording told of in two files is a fault.

    Raises:
        BadFile: no such place, no such file in it, or one that cannot be read.
    """
    files = files_in(place, ending)
    names = set(wanted)
    own = [file for file in files if recording_id(file) in names]
    lacking = names - {recording_id(file) for file in own}
    told: Told[Fact] = Told({}, {}, {})
    for file in files if lacking else own:
        found = read(file)
        if not found:
            told.silent.setdefault(recording_id(file), file)
        for recording, fact in found.items():
            if recording in told.facts and faults is not None and recording in names:
                rule = f"told of in two {ending[1:]} files; one is enough"
                faults.add(rule, recording, f"{told.files[recording]} and {file}")
            told.facts.setdefault(recording, fact)
            told.files.setdefault(recording, file)
    return told


def files_in(place: Path, ending: str) -> list[Path]:
    """The files of that ending in a folder, however deep, or the one file that `place` is; sorted.

    Raises:
        BadFile: there is none.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise BadFile(f"{place}: no such file or folder; expected {ending} files")
    found = sorted(path for path in place.rglob(f"*{ending}") if path.is_file())
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise BadFile(f"{place}: no {ending} file in it, nor in its folders")
    return found
