"""Conversations with a speaker a channel, as CALLHOME and other telephone corpora have them.

A folder, however deep, of recordings of two channels. Who spoke when is given, as RTTM, or made of
the channels themselves: speech where a channel is loud, and not merely hears the other
(`two_channel`). The conversation is then diarized as the mean of its channels.

A reference that is made is tight (pauses of 0.2 s are silence) and no one's official one: numbers
on it compare systems here, but not with published ones. CALLHOME itself (LDC97S42; the diarization
set of NIST's SRE 2000, LDC2001S97) is licensed by the LDC, and nothing of it is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.corpora.faults import Faults, not_there
from diarize.corpora.fetching import FetchedCorpus
from diarize.corpora.recordings import Found, Prepared, list_recordings, present, sounds_in
from diarize.corpora.references import read_references, read_regions
from diarize.corpora.two_channel import read_two_channel, truth_of
from diarize.errors import BadFile
from diarize.formats.text import recording_id

if TYPE_CHECKING:
    from pyannote.core import Annotation

WHAT_TO_PUT = (
    "put recordings of two channels there, a speaker a channel (wav, flac, or sph without "
    "shorten: `sph2pipe -f wav IN.sph OUT.wav` unpacks those), and name .rttm with --references if "
    "you have them. CALLHOME is licensed by the LDC: LDC97S42 (English), LDC2001S97 (SRE 2000)"
)


@dataclass(frozen=True)
class CallhomeSettings:
    """The `[data]` table of a conf: where the conversations are, and what is known of them.

    `corpus` is the folder (unnamed: `corpus` in that of the data); `references` a folder or file of
    RTTM (unnamed: made of the channels), `uem` of regions (unnamed: all is scored). `recordings`
    names some; `leave_out` are not to be used. `tolerance_s` is by how much a reference may pass
    the end of the audio.
    """

    corpus: Path | None = None
    references: Path | None = None
    uem: Path | None = None
    recordings: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    tolerance_s: float = 0.5


def prepare_callhome(folder: Path, settings: CallhomeSettings, out: Path | None = None) -> Prepared:
    """Check the conversations and list them in `out` (or `folder`), with references given or made.

    Raises:
        BadFile: one that has not two channels, a channel without speech, two of one id, or a
            reference that is missing or does not fit: all by id.
    """
    corpus = settings.corpus or folder / "corpus"
    sounds = sounds_in(corpus, "conversation", WHAT_TO_PUT)
    faults = Faults("callhome")
    ids = {recording_id(path) for path in sounds}
    not_there(settings.recordings, ids, "recordings", "callhome")
    names = (set(settings.recordings) or ids) - set(settings.leave_out)
    scored = read_regions(settings.uem, names, faults).facts if settings.uem else {}
    if settings.uem:
        faults.add_all(
            f"no region of it in any .uem of {settings.uem}", sorted(names - scored.keys())
        )
    given = read_references(settings.references, names, faults) if settings.references else None
    found = []
    for path in sounds:
        name = recording_id(path)
        if name not in names:
            continue
        if given is None:
            turns = _made(name, path, faults)
        elif (turns := given.facts.get(name)) is None:
            faults.add(f"no turns of it in any .rttm of {settings.references}", name)
        if turns is not None:
            found.append(Found(name, path, turns, scored.get(name)))
    if given is not None:
        rule = f"RTTM without audio in {corpus}"
        faults.add_all(rule, [] if settings.recordings else sorted(given.facts.keys() - ids))
    made = list_recordings(found, out or folder, faults, settings.tolerance_s)
    note = "references were made of the channels: tight, and no official ones"
    return made if given else replace(made, notes=(note,))


def fetch_callhome(folder: Path, settings: CallhomeSettings) -> FetchedCorpus:
    """Say whether conversations are there: their licences allow no more.

    Raises:
        BadFile: none are; it says exactly what to put where.
    """
    corpus = settings.corpus or folder / "corpus"
    return present(corpus, "conversation", WHAT_TO_PUT)


def _made(name: str, path: Path, faults: Faults) -> Annotation | None:
    """The reference that the channels themselves give."""
    try:
        return truth_of(read_two_channel(path), (f"{name}_A", f"{name}_B"))
    except BadFile as error:
        faults.add("no reference can be made of its channels", name, str(error))
        return None
