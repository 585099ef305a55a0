"""Recordings out of lhotse's manifests: listed as all stages read them.

Nothing is copied, but for one channel of a file of several. Cuts say which parts are scored: all of
a recording's cuts together are its UEM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from diarize.corpora.faults import Faults
from diarize.corpora.recordings import Found, Prepared, length_s, list_recordings
from diarize.errors import BadCall, BadFile
from diarize.formats.lhotse import (
    LhotseRecording,
    LhotseSource,
    LhotseSupervision,
    read_cuts,
    read_recordings,
    read_supervisions,
)
from diarize.formats.manifest import Recording, write_manifest
from diarize.formats.text import SHORTEST_S, one_word
from diarize.formats.whole import whole

if TYPE_CHECKING:
    from pyannote.core import Annotation, Timeline

MIX = "mix"
SEVERAL = "several channels"
LENGTH_TOLERANCE_S = 0.025  # between what a manifest says and the file has, as in lhotse
BLOCK_SAMPLES = 1 << 20


@dataclass(frozen=True)
class LhotseImport:
    """Which manifests to import, and how.

    Either `cuts`, or `recordings` and, if known, `supervisions`. `channel` is one of each
    recording of several channels, or "mix" for their mean. Where paths of sound are relative, they
    start at `root`, or else where the command runs, or else at the manifest.
    """

    recordings: Path | None = None
    supervisions: Path | None = None
    cuts: Path | None = None
    channel: int | str | None = None
    root: Path | None = None
    tolerance_s: float = 0.5

    def __post_init__(self) -> None:
        if (self.cuts is None) == (self.recordings is None):
            raise BadCall("give either cuts, or recordings (and supervisions)")
        if self.cuts is not None and self.supervisions is not None:
            raise BadCall("cuts hold their supervisions; give no others")
        if isinstance(self.channel, str) and self.channel != MIX:
            raise BadCall(f"channel {self.channel!r}; a number, or {MIX!r}, would be right")


@dataclass(frozen=True)
class _Told:
    """What manifests tell: recordings, their turns and the spans (s) of their cuts."""

    recordings: list[LhotseRecording] = field(default_factory=list)
    turns: dict[str, list[LhotseSupervision]] = field(default_factory=dict)
    spans: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


class _Unusable(Exception):
    """A recording breaks a rule."""

    def __init__(self, rule: str, found: str) -> None:
        self.rule, self.found = rule, found


def import_lhotse(asked: LhotseImport, folder: Path) -> Prepared:
    """List what lhotse's manifests hold in `folder`: manifest.jsonl, ref.rttm, all.uem.

    Turns keep their times to the millisecond, which is RTTM's. Without supervisions there is only
    manifest.jsonl.

    Raises:
        BadFile: a manifest that cannot be read, two recordings of one id, audio that is not there
            or shorter than its supervision, several channels and none chosen: all by id.
        BadCall: manifests that do not go together.
    """
    faults = Faults("lhotse")
    told = _from_cuts(asked.cuts) if asked.cuts else _from_sets(asked)
    _check_turns(told, asked, faults)
    found = []
    for one in told.recordings:
        try:
            audio = _audio(one, asked, folder)
        except _Unusable as unusable:
            faults.add(unusable.rule, one.recording, unusable.found)
            continue
        turns = _annotation(told.turns.get(one.recording, ()), asked.channel)
        scored = _timeline(told.spans.get(one.recording))
        found.append(Found(one_word(one.recording), audio, turns, scored))
    remedy = "--channel N, or --channel mix, says which" if SEVERAL in faults.broken else ""
    if asked.cuts is None and asked.supervisions is None:
        return _list_without_truth(found, folder, faults, remedy)
    return list_recordings(found, folder, faults, asked.tolerance_s, remedy)


def _from_sets(asked: LhotseImport) -> _Told:
    assert asked.recordings is not None  # or there would be cuts
    told = _Told(list(read_recordings(asked.recordings)))
    if asked.supervisions is not None:
        for one in read_supervisions(asked.supervisions):
            told.turns.setdefault(one.recording, []).append(one)
    return told


def _from_cuts(path: Path) -> _Told:
    """Recordings, each once, with the turns of all cuts of it, and where the cuts are."""
    told, turns = _Told(), dict[str, dict[LhotseSupervision, None]]()
    seen: dict[str, LhotseRecording] = {}
    for cut in read_cuts(path):
        name = cut.recording.recording
        if seen.setdefault(name, cut.recording) != cut.recording:
            raise BadFile(f"{path}: two recordings with the id {name}; rename one")
        told.spans.setdefault(name, []).append((cut.start_s, cut.start_s + cut.duration_s))
        for one in cut.supervisions:
            start_s = round(one.start_s + cut.start_s, 6)  # it counts from where the cut begins
            # a turn that two cuts share is one
            turns.setdefault(name, {})[replace(one, recording=name, start_s=start_s)] = None
    told.recordings.extend(seen.values())
    told.turns.update({name: list(turns.get(name, ())) for name in seen})
    return told


def _check_turns(told: _Told, asked: LhotseImport, faults: Faults) -> None:
    known = {one.recording for one in told.recordings}
    faults.add_all("supervisions, but no recording", sorted(told.turns.keys() - known))
    if asked.supervisions is not None:
        faults.add_all("a recording without a supervision", sorted(known - told.turns.keys()))
    for recording, turns in told.turns.items():
        nameless = [one.name for one in turns if one.speaker is None]
        if nameless:
            faults.add("supervisions without a speaker", recording, ", ".join(nameless[:3]))
        early = [one.name for one in turns if round(one.start_s, 6) < 0]
        if early:
            faults.add("supervisions before the beginning", recording, ", ".join(early[:3]))


def _audio(one: LhotseRecording, asked: LhotseImport, folder: Path) -> Path:
    """Where the sound of a recording is, of the channel that was asked for."""
    listed = ", ".join(map(str, one.channels))
    if one.transforms:
        rule = "changed when loaded; save the audio with lhotse first"
        raise _Unusable(rule, ", ".join(one.transforms))
    if len(one.channels) > 1 and asked.channel is None:
        raise _Unusable(SEVERAL, f"channels {listed}")
    chosen = one.sources
    if len(one.channels) > 1 and asked.channel != MIX:
        chosen = tuple(source for source in one.sources if asked.channel in source.channels)
        if not chosen:
            raise _Unusable(f"no channel {asked.channel}", f"channels {listed}")
    if len(chosen) != 1:
        rule = "its channels lie in several files; choose one channel"
        raise _Unusable(rule, f"{len(chosen)} files")
    (source,) = chosen
    path = _file(source, one, asked)
    if len(source.channels) == 1 or not isinstance(asked.channel, int):
        return path
    name = one_word(one.recording).replace("/", "_")
    target = folder / "audio" / f"{name}.{asked.channel}.wav"
    save_channel(path, source.channels.index(asked.channel), target)
    return target


def _file(source: LhotseSource, one: LhotseRecording, asked: LhotseImport) -> Path:
    """The file of a source, as long as the manifest says."""
    if source.kind != "file":
        raise _Unusable("its audio is in no file", source.kind)
    manifest = asked.cuts or asked.recordings
    assert manifest is not None
    roots = [asked.root] if asked.root else [Path(), manifest.parent]
    path = next((root / source.source for root in roots if (root / source.source).is_file()), None)
    if path is None:
        raise _Unusable("the audio is not there", source.source)
    try:
        facts = soundfile.info(str(path))
    except (soundfile.LibsndfileError, TypeError):  # a format of others; listing it will tell
        return path.absolute()
    held_s = facts.frames / facts.samplerate
    if abs(held_s - one.duration_s) > LENGTH_TOLERANCE_S:
        rule = "the audio is not as long as its manifest says"
        raise _Unusable(rule, f"{one.duration_s:.3f} s, {path} has {held_s:.3f} s")
    return path.absolute()


def save_channel(path: Path, number: int, target: Path) -> None:
    """Write channel `number` (from 0) of a sound file as a WAV file of its own, sample by sample.

    Raises:
        BadFile: the file lacks that channel, or the disk does not allow it.
    """
    with soundfile.SoundFile(str(path)) as sound:
        if number >= sound.channels:
            raise BadFile(
                f"{path}: {sound.channels} channels; its manifest has {number + 1} or more"
            )
        kind = sound.subtype if soundfile.check_format("WAV", sound.subtype) else "FLOAT"
        # as whole numbers where they are: libsndfile scales floats otherwise there and back
        numbers = "int32" if kind.startswith("PCM") else "float64"
        with (
            whole(target) as unfinished,
            unfinished.open("wb") as file,
            soundfile.SoundFile(file, "w", sound.samplerate, 1, kind, format="WAV") as out,
        ):
            for block in sound.blocks(BLOCK_SAMPLES, dtype=numbers, always_2d=True):
                out.write(block[:, number])


def _annotation(turns: Iterable[LhotseSupervision], channel: int | str | None) -> Annotation:
    """The turns, of the chosen channel where one is; those too short to be any are left out."""
    from pyannote.core import Annotation, Segment

    found = Annotation()
    for number, one in enumerate(turns):
        audible = not isinstance(channel, int) or channel in one.channels
        if audible and one.speaker is not None and one.duration_s > SHORTEST_S:
            found[Segment(one.start_s, one.start_s + one.duration_s), number] = one.speaker
    return found


def _timeline(spans: Iterable[tuple[float, float]] | None) -> Timeline | None:
    from pyannote.core import Segment, Timeline

    return None if spans is None else Timeline([Segment(*span) for span in spans]).support()


def _list_without_truth(found: list[Found], folder: Path, faults: Faults, remedy: str) -> Prepared:
    """A manifest alone."""
    times = Counter(one.recording for one in found)
    twice = sorted(name for name, number in times.items() if number > 1)
    faults.add_all("two recordings with one id; rename one", twice)
    faults.tell(len(faults.recordings | set(times)), remedy)
    if not found:
        raise BadFile("lhotse: no recordings; expected one at least")
    entries = [
        Recording(one.recording, one.audio, duration_s=round(length_s(one.audio), 3))
        for one in sorted(found, key=lambda one: one.recording)
    ]
    write_manifest(folder / "manifest.jsonl", entries)
    total_s = sum(entry.duration_s or 0.0 for entry in entries)
    return Prepared(folder / "manifest.jsonl", len(entries), total_s)
