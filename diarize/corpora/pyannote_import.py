"""Recordings out of a protocol of pyannote.database: listed as all stages read them.

The one place where pyannote.database is used.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diarize.corpora.faults import Faults
from diarize.corpora.recordings import Found, Prepared, list_recordings
from diarize.errors import BadCall, BadFile, DiarizeError
from diarize.formats.text import one_word

CROPPED = "Existing precomputed key"  # as it warns when it leaves out turns that are not scored
SUBSETS = ("train", "development", "test")


@dataclass(frozen=True)
class ProtocolImport:
    """Which subset of which protocol to import, as in `Debug.SpeakerDiarization.Clips`."""

    database: Path  # the database.yml
    protocol: str
    subset: str = "test"
    tolerance_s: float = 0.5

    def __post_init__(self) -> None:
        if self.subset not in SUBSETS:
            raise BadCall(f"no subset {self.subset!r}; there are {', '.join(SUBSETS)}")


def import_protocol(asked: ProtocolImport, folder: Path) -> Prepared:
    """List the recordings of a protocol in `folder`: manifest.jsonl, ref.rttm, all.uem.

    Turns and regions keep their times to the millisecond. Nothing is copied. What a recording says
    outside of its regions is left out, for pyannote.database leaves it out.

    Raises:
        BadCall: pyannote.database is missing, or it knows no such protocol or subset: it lists
            those there.
        BadFile: the database.yml or a file that it names cannot be used, or recordings cannot: all
            by id.
    """
    try:
        from pyannote.database import FileFinder
        from pyannote.database.registry import Registry
    except ImportError as error:
        raise BadCall(
            f"pyannote.database is not installed ({error}); pip install 'diarize-toolkit[bridges]'"
        ) from error
    if not asked.database.is_file():
        raise BadFile(f"{asked.database}: no such file; expected pyannote's database.yml")
    registry, notes = Registry(), list[str]()
    with _remarks(notes):
        with _told_of(asked.database):
            registry.load_database(asked.database)
        files = _files(registry, asked)
        found, faults = _recordings(files, FileFinder(registry=registry), asked)
    for one in found:
        if not one.reference:
            notes.append(f"{one.recording}: nobody speaks there, or its RTTM leaves it out")
    made = list_recordings(found, folder, faults, asked.tolerance_s)
    return replace(made, notes=(*made.notes, *notes))


def _files(registry: Any, asked: ProtocolImport) -> list[Any]:
    """The files of the subset, of which most is read when it is asked for."""
    known = sorted(registry)
    if asked.protocol not in known:
        listed = ", ".join(known) or "none"
        raise BadCall(f"no protocol {asked.protocol!r} in {asked.database}; there are {listed}")
    with _told_of(asked.database):
        protocol = registry.get_protocol(asked.protocol)
        there = [name for name in SUBSETS if _has(protocol, name)]
        if asked.subset in there:
            return list(getattr(protocol, asked.subset)())
    listed = ", ".join(there) or "none"
    raise BadCall(f"{asked.protocol} has no subset {asked.subset}; there are {listed}")


def _has(protocol: Any, subset: str) -> bool:
    """Whether a protocol has a subset, be its files readable or not."""
    try:
        next(iter(getattr(protocol, subset)()), None)
    except NotImplementedError:
        return False
    except Exception:  # of somebody else's reader; asked for, it says why
        return True
    return True


def _recordings(
    files: Iterable[Any], finder: Callable[[Any], Any], asked: ProtocolImport
) -> tuple[list[Found], Faults]:
    """Where the sound is, who speaks, what is scored; and what was wrong with it."""
    faults, found = Faults(asked.protocol), []
    for file in files:
        name = one_word(str(file["uri"]))
        try:
            audio = Path(str(file["audio"] if "audio" in list(file) else finder(file)))
        except KeyError:
            faults.add(f"Databases says nowhere where audio of {file['database']} lies", name)
            continue
        except FileNotFoundError as error:
            faults.add("the audio is not there", name, " ".join(str(error).split()))
            continue
        try:
            with _told_of(asked.database):
                turns = file.get("annotation")
                regions = file.get("annotated")
        except BadFile as error:
            faults.add("its annotation cannot be read", name, str(error))
            continue
        if turns is None:
            faults.add("no annotation", name)
            continue
        scored = regions.support() if regions else None
        found.append(Found(name, audio.absolute(), turns, scored))
    return found, faults


@contextlib.contextmanager
def _remarks(notes: list[str]) -> Iterator[None]:
    """What pyannote.database prints and warns of goes into `notes`."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
    lines = [*said.getvalue().splitlines(), *(str(one.message) for one in warned)]
    told = (" ".join(line.split()) for line in lines if not line.startswith(CROPPED))
    notes.extend(dict.fromkeys(line for line in told if line))


@contextlib.contextmanager
def _told_of(database: Path) -> Iterator[None]:
    """Whatever goes wrong is a fault of that file, or of one that it names.

    Raises:
        BadFile: something does.
    """
    try:
        yield
    except DiarizeError:
        raise
    except Exception as error:  # of somebody else's reader: ten kinds of error were seen
        told = " ".join(str(error).split()) or type(error).__name__
        raise BadFile(f"{database}: cannot be used: {told}") from error
