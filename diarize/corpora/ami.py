"""AMI: meetings of three to five people, by the mix of their headsets or one far microphone.

The audio lies as AMI gives it out: `MEETING/audio/MEETING.Mix-Headset.wav`, or
`MEETING.Array1-01.wav` (its first array's first microphone, "SDM"). References and scored regions
lie as in BUT's AMI-diarization-setup: `only_words/rttms/*/MEETING.rttm`, `word_and_vocalsounds`
likewise, `uems/*/MEETING.uem`; or are files of that kind, however many meetings each is about.

Source: J. Carletta et al., "The AMI meeting corpus: a pre-announcement", MLMI 2006. References:
F. Landini et al., "Bayesian HMM clustering of x-vector sequences (VBx)", CSL 2022, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from diarize.corpora.ami_meetings import (
    FILE_NAMES,
    Microphone,
    Part,
    Split,
    meetings_of,
    never_recorded,
)
from diarize.corpora.faults import Faults
from diarize.corpora.recordings import Found, Prepared, list_recordings
from diarize.corpora.references import read_references, read_regions
from diarize.errors import BadCall, BadFile

ENDINGS = (".wav", ".flac")  # AMI's own, and what people pack it into
TREES = ("", "amicorpus", "wav_db")  # where in a folder the meetings may be
MIRROR = "https://groups.inf.ed.ac.uk/ami/AMICorpusMirror/amicorpus"
SETUP = (  # by the commit, so that the labels are everybody's
    "https://github.com/BUTSpeechFIT/AMI-diarization-setup/archive/"
    "2509d8933721023fab4def2618aabd5c28eb82e9.tar.gz"
)


@dataclass(frozen=True)
class AmiSettings:
    """The `[data]` table of a conf: which meetings, heard by what, and where they are.

    `corpus` and `references` are the user's own; unnamed, they are the folders of those names
    that fetching makes. `labels` are BUT's references: "only_words" (all words, nothing else: what
    is usually scored) or "word_and_vocalsounds" (laughter and the like too). `meetings` names some,
    in place of the `parts` of a `split`; `leave_out` are not to be used. `clips` is a folder of
    excerpts with one .rttm and one .uem, which fetching lays out as AMI in place of the real one.
    `mirror` and `setup` are the addresses of the audio and of BUT's references, `check` whether
    audio whose checksum is known must have it. `tolerance_s` is by how much a reference may pass
    the end of the audio.
    """

    corpus: Path | None = None
    references: Path | None = None
    microphone: Microphone = "mix_headset"
    labels: Literal["only_words", "word_and_vocalsounds"] = "only_words"
    split: Split = "full_corpus_asr"
    parts: tuple[Part, ...] = ("test",)
    meetings: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    clips: Path | None = None
    mirror: str = MIRROR
    setup: str = SETUP
    check: bool = True
    tolerance_s: float = 0.5

    def __post_init__(self) -> None:
        if not self.parts and not self.meetings:
            raise BadCall("parts = [] and no meetings; name train, dev or test, or meetings")


def placed(settings: AmiSettings, folder: Path) -> AmiSettings:
    """The settings, with the places that fetching makes in `folder` where they name none."""
    return replace(
        settings,
        corpus=settings.corpus or folder / "corpus",
        references=settings.references or folder / "references",
    )


def wanted_meetings(settings: AmiSettings) -> list[str]:
    """The ids of the meetings that the settings name, sorted."""
    named = settings.meetings or meetings_of(settings.split, settings.parts)
    return sorted(set(named) - set(settings.leave_out))


def find_audio(corpus: Path, meeting: str, microphone: Microphone) -> list[Path]:
    """The files of that meeting and microphone: one, if all is well."""
    name = f"{meeting}.{FILE_NAMES[microphone]}"
    places = [f"{meeting}/audio/{name}", f"{meeting}/{name}", name]
    candidates = [
        corpus / tree / f"{place}{ending}"
        for tree in TREES
        for place in places
        for ending in ENDINGS
    ]
    return [path for path in candidates if path.is_file()]


def missing_audio(settings: AmiSettings, corpus: Path) -> tuple[list[str], list[str]]:
    """The wanted meetings whose audio is not there: those that should be, and those AMI lacks."""
    absent = [
        meeting
        for meeting in wanted_meetings(settings)
        if not find_audio(corpus, meeting, settings.microphone)
    ]
    none = never_recorded(settings.microphone)
    return [one for one in absent if one not in none], [one for one in absent if one in none]


def prepare_ami(folder: Path, settings: AmiSettings, out: Path | None = None) -> Prepared:
    """Check the meetings against their references, and list them in `out` (or `folder`).

    Meetings that AMI has no such audio of are left out, and a note says so.

    Raises:
        BadCall: settings that cannot be meant.
        BadFile: meetings without audio or reference, or with unsound ones: all by id.
    """
    settings = placed(settings, folder)
    corpus, references = settings.corpus, settings.references
    assert corpus is not None
    assert references is not None
    lacking, none = missing_audio(settings, corpus)
    faults = Faults("ami")
    name = FILE_NAMES[settings.microphone]
    faults.add_all(f"no {name} audio in {corpus} (ID/audio/ID.{name}.wav)", lacking)
    meetings = [one for one in wanted_meetings(settings) if one not in none]
    found = _found(meetings, settings, corpus, references, faults)
    remedy = "`diarize fetch ami` fetches them, into DATA/corpus" if lacking else ""
    made = list_recordings(found, out or folder, faults, settings.tolerance_s, remedy)
    notes = [f"{', '.join(none)}: left out, for AMI has no {name} of them"] if none else []
    without = [one.recording for one in found if one.scored is None]
    if without:
        notes.append(f"{', '.join(without)}: no UEM; the whole of each is scored")
    return replace(made, notes=tuple(notes))


def _found(
    meetings: Sequence[str],
    settings: AmiSettings,
    corpus: Path,
    references: Path,
    faults: Faults,
) -> list[Found]:
    """The meetings with audio and reference; what is wrong with others is noted."""
    place = _labels_place(references, settings.labels)
    told = read_references(place, meetings, faults)
    uems = references / "uems" if references.is_dir() else references
    scored = read_regions(uems, meetings, faults).facts if uems.is_dir() else {}
    found = []
    for meeting in meetings:
        audio = find_audio(corpus, meeting, settings.microphone)
        reference = told.facts.get(meeting)
        if reference is None:
            faults.add(f"no turns of it in any .rttm of {place}", meeting)
        elif len(audio) > 1:
            rule = "two recordings with one id; keep one of the files"
            faults.add(rule, meeting, " and ".join(map(str, audio)))
        elif audio:
            found.append(Found(meeting, audio[0], reference, scored.get(meeting)))
    return found


def _labels_place(references: Path, labels: str) -> Path:
    """Where the references of that kind are: a folder of AMI-diarization-setup, or what was named.

    Raises:
        BadFile: the folder has references of the other kind only.
    """
    kinds = {kind: references / kind for kind in ("only_words", "word_and_vocalsounds")}
    if kinds[labels].is_dir():
        return kinds[labels]
    for kind, place in kinds.items():
        if place.is_dir():
            raise BadFile(f"{references}: has {kind}, but no {labels}; labels = {kind!r} would fit")
    return references
