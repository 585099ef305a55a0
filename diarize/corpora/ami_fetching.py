"""Fetching AMI: its audio from Edinburgh, the references of BUT from GitHub; or excerpts laid out.

Licences: AMI's signals and annotations are under CC BY 4.0 (AMI Consortium); the references, made
from these annotations, under Apache-2.0 (Brno University of Technology).
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

from diarize.corpora.ami import AmiSettings, find_audio, missing_audio, placed, wanted_meetings
from diarize.corpora.ami_meetings import FILE_NAMES, all_meetings, known_sha256
from diarize.corpora.archive import unpack
from diarize.corpora.download import Progress, Remote, fetch_file, fetch_files, quiet
from diarize.corpora.faults import Faults, not_there
from diarize.corpora.fetching import FetchedCorpus
from diarize.corpora.recordings import audio_in
from diarize.corpora.references import files_in, read_references, read_regions
from diarize.errors import BadFile
from diarize.formats.rttm import save_rttm
from diarize.formats.text import recording_id
from diarize.formats.uem import save_uem
from diarize.formats.whole import whole

ATTRIBUTION = (
    "AMI Meeting Corpus, CC BY 4.0, from groups.inf.ed.ac.uk/ami; references: BUTSpeechFIT/"
    "AMI-diarization-setup, Apache-2.0"
)
_KINDS = ("only_words", "word_and_vocalsounds", "uems", "lists")


def fetch_ami(
    folder: Path, settings: AmiSettings, offline: bool = False, progress: Progress = quiet
) -> FetchedCorpus:
    """Get the meetings' audio into `folder/corpus` and the references into `folder/references`.

    A place that the settings name is the user's: it is looked into, and nothing is written there.

    Raises:
        BadFile: meetings that are missing and cannot be fetched, by id.
    """
    if settings.clips is not None:
        return lay_out_clips(settings.clips, folder, settings)
    own = placed(settings, folder)
    assert own.corpus is not None
    assert own.references is not None
    n_new = 0
    if settings.references is None:
        n_new += _fetch_references(own, own.references, offline, progress)
    lacking, none = missing_audio(own, own.corpus)
    name = FILE_NAMES[own.microphone]
    if lacking and (offline or settings.corpus is not None):
        faults = Faults("ami")
        faults.add_all(f"no {name} audio in {own.corpus} (ID/audio/ID.{name}.wav)", lacking)
        reason = "--offline was asked for" if offline else "without --corpus they are fetched"
        faults.tell(len(wanted_meetings(own)), reason)
    not_there(lacking, all_meetings(), "meetings", "ami")
    n_new += fetch_files((_audio(one, own, own.corpus) for one in lacking), progress)
    notes = [ATTRIBUTION] if n_new else []
    if none:
        notes.append(f"{', '.join(none)}: AMI has no {name} of them; going on without")
    number = len(wanted_meetings(own)) - len(none)
    what = f"{number} meeting{'s' * (number != 1)}"
    return FetchedCorpus(own.corpus, what, n_new > 0, tuple(notes))


def lay_out_clips(clips: Path, folder: Path, settings: AmiSettings) -> FetchedCorpus:
    """A miniature AMI of excerpts: each sound file as a meeting, its turns and regions as BUT's.

    Raises:
        BadFile: no such folder, no sound in it, or no .rttm or .uem about all of them.
    """
    sounds = {recording_id(path): path for path in audio_in(clips)}
    if not sounds:
        raise BadFile(
            f"{clips}: no sound files; expected excerpts of meetings, an .rttm and a .uem"
        )
    faults = Faults(f"ami clips {clips}")
    turns = read_references(clips, sounds, faults).facts
    regions = read_regions(clips, sounds, faults).facts if files_in(clips, ".uem") else {}
    faults.add_all("no turns of it in any .rttm", sorted(sounds.keys() - turns.keys()))
    faults.add_all("no region of it in any .uem", sorted(sounds.keys() - regions.keys()))
    faults.tell(len(sounds))
    corpus, references = folder / "corpus", folder / "references"
    small = replace(settings, meetings=tuple(sounds), leave_out=())
    is_new = bool(missing_audio(small, corpus)[0])
    for meeting, sound in sounds.items():
        if not find_audio(corpus, meeting, settings.microphone):
            name = f"{meeting}.{FILE_NAMES[settings.microphone]}{sound.suffix.lower()}"
            with whole(corpus / meeting / "audio" / name) as unfinished:
                shutil.copyfile(sound, unfinished)
        place = references / settings.labels / "rttms" / "test" / f"{meeting}.rttm"
        save_rttm(place, {meeting: turns[meeting]})
        save_uem(references / "uems" / "test" / f"{meeting}.uem", {meeting: regions[meeting]})
    return FetchedCorpus(corpus, f"a miniature of {len(sounds)} excerpts of {clips}", is_new)


def _fetch_references(
    settings: AmiSettings, references: Path, offline: bool, progress: Progress
) -> int:
    """Fetch BUT's references unless they are there; how many archives that took."""
    if all((references / kind).is_dir() for kind in _KINDS[:2]):
        return 0
    if offline:
        raise BadFile(f"{references}: no references, and --offline was asked for; --references DIR")
    archive = references.with_name("AMI-diarization-setup.tar.gz")
    fetch_file(Remote(settings.setup, archive), progress)
    unpack(archive, references, _place_of_reference)
    if not all((references / kind).is_dir() for kind in _KINDS[:2]):
        raise BadFile(
            f"{archive}: not BUT's AMI-diarization-setup: it lacks {' or '.join(_KINDS[:2])}"
        )
    archive.unlink()
    return 1


def _place_of_reference(member: PurePosixPath) -> str | None:
    """The archive's files without their common top folder, those of the kinds that are read."""
    inside = member.parts[1:]
    is_read = len(inside) > 1 and inside[0] in _KINDS and member.suffix in (".rttm", ".uem", ".txt")
    return "/".join(inside) if is_read else None


def _audio(meeting: str, settings: AmiSettings, corpus: Path) -> Remote:
    place = f"{meeting}/audio/{meeting}.{FILE_NAMES[settings.microphone]}.wav"
    url = f"{settings.mirror.rstrip('/')}/{place}"
    known = known_sha256(settings.microphone, meeting) if settings.check else None
    return Remote(url, corpus / place, known)
