"""Anybody's recordings: a folder, however deep, of sound files and RTTM files, and UEM files.

`call.wav` goes with the turns that an RTTM file tells of `call`: a file `call.rttm` beside it, or
one about many recordings. The same of regions: `call.uem`, or one about many; without any, all of
each recording is scored. An empty `call.rttm` says that nobody speaks in `call`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.corpora.faults import Faults, not_there
from diarize.corpora.fetching import FetchedCorpus
from diarize.corpora.recordings import Found, Prepared, list_recordings, present, sounds_in
from diarize.corpora.references import Told, files_in, read_references, read_regions
from diarize.formats.text import recording_id

if TYPE_CHECKING:
    from pyannote.core import Annotation, Timeline

WHAT_TO_PUT = (
    "put sound files there and, beside each NAME.wav, who speaks when in NAME.rttm (or one .rttm "
    "about all), and a NAME.uem if not all of it is to be scored"
)


@dataclass(frozen=True)
class FolderSettings:
    """The `[data]` table of a conf: where the recordings are, and what is known of them.

    `corpus` is the folder (unnamed: `corpus` in that of the data); `references` and `uem` are
    folders or files of RTTM and UEM elsewhere than in it. `recordings` names some; `leave_out` are
    not to be used. `tolerance_s` is by how much a reference may pass the end of the audio.
    """

    corpus: Path | None = None
    references: Path | None = None
    uem: Path | None = None
    recordings: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    tolerance_s: float = 0.5


def prepare_folder(folder: Path, settings: FolderSettings, out: Path | None = None) -> Prepared:
    """Check the recordings against their RTTM and list them in `out` (or `folder`).

    Raises:
        BadFile: audio without RTTM, RTTM without audio, two recordings of one id, a reference that
            passes the end of its audio: all by id.
    """
    corpus = settings.corpus or folder / "corpus"
    sounds = sounds_in(corpus, "recording", WHAT_TO_PUT)
    faults = Faults("folder")
    ids = {recording_id(path) for path in sounds}
    not_there(settings.recordings, ids, "recordings", "folder")
    names = (set(settings.recordings) or ids) - set(settings.leave_out)
    place = settings.references or corpus
    told = read_references(place, names, faults)
    scored = _scored(settings.uem, corpus, names, faults)
    found = []
    for path in sounds:
        name = recording_id(path)
        if name in names and (turns := _turns(name, told, place, faults)) is not None:
            found.append(Found(name, path, turns, scored.get(name)))
    if not settings.recordings:
        spoken_of = told.facts.keys() | {recording_id(file) for file in files_in(place, ".rttm")}
        _check_for_audio(spoken_of - ids - set(settings.leave_out), told, place, corpus, faults)
    return list_recordings(found, out or folder, faults, settings.tolerance_s)


def fetch_folder(folder: Path, settings: FolderSettings) -> FetchedCorpus:
    """Say whether recordings are there: they are the user's own.

    Raises:
        BadFile: none are; it says exactly what to put where.
    """
    corpus = settings.corpus or folder / "corpus"
    return present(corpus, "recording", WHAT_TO_PUT)


def _turns(name: str, told: Told[Annotation], place: Path, faults: Faults) -> Annotation | None:
    """Who speaks in a recording; what is wrong with what was told is noted."""
    from pyannote.core import Annotation

    if name in told.facts:
        return told.facts[name]
    if name in told.silent:
        return Annotation(uri=name)
    faults.add(f"audio without RTTM: no turns of it in any .rttm of {place}", name)
    return None


def _check_for_audio(
    lacking: set[str], told: Told[Annotation], place: Path, corpus: Path, faults: Faults
) -> None:
    """Note recordings that an RTTM tells of, or is named for, and that have no audio.

    A file about many recordings may be named as it likes.
    """
    for name in sorted(lacking):
        if name in told.facts:
            faults.add(f"RTTM without audio in {corpus}", name, str(told.files[name]))
    about = set(told.files.values())
    for file in files_in(place, ".rttm"):
        if recording_id(file) in lacking - told.facts.keys() and file not in about:
            faults.add(f"RTTM without audio in {corpus}", recording_id(file), str(file))


def _scored(uem: Path | None, corpus: Path, names: set[str], faults: Faults) -> dict[str, Timeline]:
    """The regions of each recording; those of a UEM that leaves one out are a fault."""
    has_some = uem is not None or any(corpus.rglob("*.uem"))
    if not has_some:
        return {}
    place = uem or corpus
    scored = read_regions(place, names, faults).facts
    faults.add_all(f"no region of it in any .uem of {place}", sorted(names - scored.keys()))
    return scored
