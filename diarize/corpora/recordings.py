"""Real recordings as their corpus has them: checked against their truth, and listed.

Whatever the corpus, the lists are those that all stages read: manifest.jsonl, ref.rttm, all.uem.
Nothing is copied; the manifest names the sound where it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from diarize.audio.io import read_audio
from diarize.corpora.faults import Faults
from diarize.corpora.fetching import FetchedCorpus
from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import Recording, write_manifest
from diarize.formats.rttm import save_rttm
from diarize.formats.text import SHORTEST_S
from diarize.formats.uem import save_uem

if TYPE_CHECKING:
    from pyannote.core import Annotation, Timeline

AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".sph", ".mp3", ".m4a", ".opus", ".aif", ".aiff", ".au")
_HEADED = {".wav", ".flac", ".ogg", ".sph", ".aif", ".aiff", ".au"}  # whose header tells the length


@dataclass(frozen=True)
class Found:
    """One recording of a corpus: its sound, who truly spoke when, and which regions are scored.

    `scored` None is all of it.
    """

    recording: str
    audio: Path
    reference: Annotation
    scored: Timeline | None = None


@dataclass(frozen=True)
class Prepared:
    """The lists that were written, of how many recordings and seconds, and what to know of them."""

    manifest: Path
    n_recordings: int
    duration_s: float
    notes: tuple[str, ...] = ()


def list_recordings(
    found: Sequence[Found], folder: Path, faults: Faults, tolerance_s: float, remedy: str = ""
) -> Prepared:
    """Check every recording and write their lists into `folder`, the manifest last.

    `faults` may hold what was already found wrong. A reference or region may pass the end of the
    sound by `tolerance_s`; no more than the sound is scored.

    Raises:
        BadCall: a tolerance that is none.
        BadFile: two recordings with one id, sound that cannot be read, a reference or region that
            passes the end of the sound, or faults there already; it names recordings and rules.
    """
    if not 0 <= tolerance_s <= 60:
        raise BadCall(f"tolerance_s = {tolerance_s:g}; expected 0 to 60 seconds")
    alike = _once(found, faults)
    entries, references, scored = [], {}, {}
    for one in alike:
        duration_s = _duration_s(one, faults)
        if duration_s is None:
            continue
        _check_ends(one, duration_s, tolerance_s, faults)
        scored[one.recording] = _within(one, duration_s, faults)
        references[one.recording] = one.reference
        rttm, uem = folder / "ref.rttm", folder / "all.uem"
        entries.append(Recording(one.recording, one.audio, rttm, uem, round(duration_s, 3)))
    names = faults.recordings | {one.recording for one in found}
    faults.tell(len(names), remedy)
    if not entries:
        raise BadFile(f"{faults.corpus}: no recordings; expected one at least")
    save_rttm(folder / "ref.rttm", references)
    save_uem(folder / "all.uem", scored)
    write_manifest(folder / "manifest.jsonl", entries)
    total_s = sum(entry.duration_s or 0.0 for entry in entries)
    return Prepared(folder / "manifest.jsonl", len(entries), total_s)


def audio_in(folder: Path) -> list[Path]:
    """The sound files in a folder, however deep, sorted; hidden ones and folders left out.

    Raises:
        BadFile: no such folder.
    """
    if not folder.is_dir():
        raise BadFile(f"{folder}: no such folder; expected one with recordings")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_ENDINGS and path.name[0] != "." and path.is_file()
    )


def sounds_in(corpus: Path, what: str, remedy: str) -> list[Path]:
    """The sound files of a corpus that nobody can fetch for its user; `what` they are.

    Raises:
        BadFile: there are none; the message ends with `remedy`.
    """
    found = audio_in(corpus) if corpus.is_dir() else []
    if not found:
        raise BadFile(f"{corpus}: no {what}s; {remedy}")
    return found


def present(corpus: Path, what: str, remedy: str) -> FetchedCorpus:
    """What fetching says of such a corpus: how many there are.

    Raises:
        BadFile: there are none; the message ends with `remedy`.
    """
    number = len(sounds_in(corpus, what, remedy))
    return FetchedCorpus(corpus, f"{number} {what}{'s' * (number != 1)}", is_new=False)


def length_s(path: Path) -> float:
    """How long the sound in a file is, by its header where the last sample that this promises is
    there, else by decoding it.

    Raises:
        BadFile: it is not there, is no sound, or holds none.
    """
    if path.suffix.lower() not in _HEADED:
        return read_audio(path).duration_s
    try:
        with soundfile.SoundFile(path) as sound:
            if not sound.frames:
                raise BadFile(f"{path}: no samples in it")
            sound.seek(sound.frames - 1)
            if len(sound.read(1)):
                return float(sound.frames / sound.samplerate)
    except (soundfile.LibsndfileError, TypeError):
        pass
    return read_audio(path).duration_s  # a file that was cut, or that says what is wrong with it


def _once(found: Sequence[Found], faults: Faults) -> list[Found]:
    """The recordings sorted by id; those of one id are a fault."""
    first: dict[str, Found] = {}
    for one in found:
        other = first.setdefault(one.recording, one)
        if other is not one:
            rule = "two recordings with one id; rename one"
            faults.add(rule, one.recording, f"{other.audio} and {one.audio}")
    return [first[name] for name in sorted(first)]


def _duration_s(one: Found, faults: Faults) -> float | None:
    try:
        return length_s(one.audio)
    except BadFile as error:
        faults.add("the audio cannot be read", one.recording, str(error))
        return None


def _check_ends(one: Found, duration_s: float, tolerance_s: float, faults: Faults) -> None:
    """Note a reference or a region that passes the end of the sound."""
    within = f"(by over tolerance_s = {tolerance_s:g} s)"
    for what, extent in (("reference", one.reference.get_timeline()), ("UEM", one.scored)):
        end_s = max((segment.end for segment in extent), default=0.0) if extent is not None else 0.0
        if end_s > duration_s + tolerance_s:
            told = f"audio {duration_s:.3f} s, {what} to {end_s:.3f} s"
            faults.add(f"the audio is shorter than its {what} {within}", one.recording, told)


def _within(one: Found, duration_s: float, faults: Faults) -> Timeline:
    """What is scored, cut to the sound."""
    from pyannote.core import Segment, Timeline

    whole = Segment(0.0, duration_s)
    if one.scored is None:
        return Timeline([whole], uri=one.recording)
    scored = one.scored.crop(Timeline([whole]), mode="intersection").support()
    if scored.duration() <= SHORTEST_S:
        faults.add("the UEM scores nothing of the audio", one.recording)
    return scored
