"""A manifest as lhotse's: recordings, supervisions, and cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from diarize.corpora.faults import Faults
from diarize.errors import BadFile
from diarize.formats.lhotse import (
    LhotseCut,
    LhotseRecording,
    LhotseSource,
    LhotseSupervision,
    save_cuts,
    save_recordings,
    save_supervisions,
)
from diarize.formats.manifest import Recording, read_manifest
from diarize.formats.text import one_word

if TYPE_CHECKING:
    from pyannote.core import Annotation, Timeline

NAMES = ("recordings.jsonl.gz", "supervisions.jsonl.gz", "cuts.jsonl.gz")


@dataclass(frozen=True)
class Exported:
    """The files that were written, of how many recordings and turns."""

    files: tuple[Path, ...]
    n_recordings: int
    n_turns: int


def export_lhotse(manifest: Path, folder: Path) -> Exported:
    """Write what a manifest lists as lhotse's manifests into `folder`.

    Supervisions are the turns of the RTTM files, to the microsecond. There is a cut a recording, or
    a region of its UEM, with the turns that are in it at least in part.

    Raises:
        BadFile: a file that cannot be read, or whose length is not known; it names them by id.
    """
    entries = read_manifest(manifest)
    if not entries:
        raise BadFile(f"{manifest}: no recordings; expected one at least")
    faults = Faults("export lhotse")
    made = [(entry, one) for entry in entries if (one := _recording(entry, faults)) is not None]
    truth = truths(entries, faults)
    faults.tell(len(entries))
    recordings = [one for _, one in made]
    turns = {one.recording: _turns(one, truth.turns.get(one.recording)) for one in recordings}
    files = tuple(folder / name for name in NAMES)
    save_recordings(files[0], recordings)
    save_supervisions(files[1], (turn for one in recordings for turn in turns[one.recording]))
    cuts = (_cuts(one, turns[one.recording], truth.scored.get(one.recording)) for one in recordings)
    save_cuts(files[2], (cut for some in cuts for cut in some))
    return Exported(files, len(recordings), sum(map(len, turns.values())))


@dataclass(frozen=True)
class Truths:
    """Who truly speaks, and which regions are scored, by recording, as far as a manifest tells."""

    turns: Mapping[str, Annotation]
    scored: Mapping[str, Timeline]


def truths(entries: list[Recording], faults: Faults) -> Truths:
    """What the RTTM and UEM files of recordings tell of them, each file read once.

    An RTTM file without turns of a recording says that nobody speaks there; a UEM file without a
    region of it is a fault.

    Raises:
        BadFile: one cannot be read.
    """
    from pyannote.core import Annotation

    from diarize.formats.rttm import read_rttm
    from diarize.formats.uem import read_uem

    rttm = {path: read_rttm(path) for path in {one.rttm: None for one in entries} if path}
    uem = {path: read_uem(path) for path in {one.uem: None for one in entries} if path}
    turns, scored = {}, {}
    for one in entries:
        name = one_word(one.recording)
        if one.rttm is not None:
            turns[name] = rttm[one.rttm].get(name, Annotation(uri=name))
        if one.uem is not None and name in uem[one.uem]:
            scored[name] = uem[one.uem][name]
        elif one.uem is not None:
            faults.add("no region of it in its UEM", name, str(one.uem))
    return Truths(turns, scored)


def _recording(entry: Recording, faults: Faults) -> LhotseRecording | None:
    """A recording by the header of its file."""
    name = one_word(entry.recording)
    if not entry.audio.is_file():
        faults.add("the audio is not there", name, str(entry.audio))
        return None
    try:
        facts = soundfile.info(str(entry.audio))
    except (soundfile.LibsndfileError, TypeError):
        rule = "a format whose length must be counted; make a WAV or FLAC file of it"
        faults.add(rule, name, str(entry.audio))
        return None
    source = LhotseSource("file", tuple(range(facts.channels)), str(entry.audio.absolute()))
    return LhotseRecording(name, (source,), facts.samplerate, facts.frames)


def _turns(one: LhotseRecording, truth: Annotation | None) -> list[LhotseSupervision]:
    from diarize.formats.rttm import words_of

    if truth is None:
        return []
    words = words_of(truth)
    told = sorted(
        (segment.start, segment.end, words[label])
        for segment, _, label in truth.itertracks(yield_label=True)
    )
    return [
        LhotseSupervision(
            f"{one.recording}-{number:05d}",
            one.recording,
            round(start_s, 6),
            round(end_s - start_s, 6),
            one.channels,
            speaker,
        )
        for number, (start_s, end_s, speaker) in enumerate(told)
    ]


def _cuts(
    one: LhotseRecording, turns: list[LhotseSupervision], scored: Timeline | None
) -> Iterator[LhotseCut]:
    whole = [(0.0, one.duration_s)]
    spans = whole if scored is None else [(region.start, region.end) for region in scored]
    for number, (start_s, end_s) in enumerate(spans):
        end_s = min(end_s, one.duration_s)  # a UEM may be rounded up
        inside = tuple(
            replace(turn, start_s=turn.start_s - start_s)
            for turn in turns
            if turn.start_s < end_s and turn.start_s + turn.duration_s > start_s
        )
        name = one.recording if len(spans) == 1 else f"{one.recording}-cut{number:03d}"
        yield LhotseCut(name, start_s, end_s - start_s, one.channels, one, inside)
