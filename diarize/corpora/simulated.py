"""Conversations made from recordings of single speakers, with the exact truth of who spoke when.

The truth is measured, not planned: each utterance's own pauses are found on its clean source
(`audio/energy`), so that a turn in the reference is as tight as one aligned word by word.
A conversation depends on its settings, its sources, a seed and its name, on nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from diarize.audio.energy import active_level_dbfs
from diarize.audio.frames import to_samples
from diarize.audio.io import RATE_HZ
from diarize.audio.mix import gain
from diarize.corpora.acoustics import Acoustics, background, in_room
from diarize.corpora.phrases import Voice
from diarize.corpora.speech_table import Utterance, audio_files, in_split, read_speech_table
from diarize.corpora.turn_taking import Placed, TurnTaking, take_turns
from diarize.errors import BadCall, BadFile

if TYPE_CHECKING:
    from pyannote.core import Annotation

PEAK = 0.95


@dataclass(frozen=True)
class SimulatedSettings:
    """What the conversations are like; ranges are drawn from evenly, ends included.

    `split` takes the speakers, noises and rooms of one split only ("all" takes every one);
    `min_speaker_s` leaves out speakers with less sound than that, `collections` all but those
    sets of the table (empty: every set). The rest as in TurnTaking and Acoustics.
    """

    split: str = "train"
    collections: tuple[str, ...] = ()
    min_speaker_s: float = 8.0
    min_speakers: int = 2
    max_speakers: int = 4
    min_s: float = 60.0
    max_s: float = 90.0
    min_overlap: float = 0.05
    max_overlap: float = 0.2
    turns: TurnTaking = field(default_factory=TurnTaking)
    acoustics: Acoustics = field(default_factory=Acoustics)

    def __post_init__(self) -> None:
        for low, high, least, most in (
            ("min_speakers", "max_speakers", 1, 100),
            ("min_s", "max_s", 1, 24 * 3600),
            ("min_overlap", "max_overlap", 0, 0.4),
        ):
            if not least <= getattr(self, low) <= getattr(self, high) <= most:
                raise BadCall(
                    f"{low} = {getattr(self, low)}, {high} = {getattr(self, high)}; "
                    f"expected {least} <= {low} <= {high} <= {most}"
                )


@dataclass(frozen=True)
class Sources:
    """What conversations are made of: utterances, and files of noises and room responses."""

    utterances: tuple[Utterance, ...]
    noises: tuple[Path, ...] = ()
    rooms: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """One simulated recording and its truth; `facts` says what was drawn for it."""

    recording: str
    samples: Float32[np.ndarray, " time"]
    rate_hz: int
    reference: Annotation
    seed: int
    facts: dict[str, object]


def read_sources(
    speech: Path | str, noises: Path | str | None = None, rooms: Path | str | None = None
) -> Sources:
    """The utterances of a folder with a `speakers.tsv`, and all sound files of the others.

    Raises:
        BadFile: a folder or table that is missing or has nothing in it.
    """
    return Sources(
        tuple(read_speech_table(speech)),
        tuple(audio_files(noises)) if noises is not None else (),
        tuple(audio_files(rooms)) if rooms is not None else (),
    )


def simulate(
    sources: Sources, settings: SimulatedSettings, seed: int, recording: str = "simulated"
) -> Conversation:
    """One conversation; the same arguments give the same samples.

    Raises:
        BadCall: the split holds fewer speakers than one conversation needs.
        BadFile: an utterance, noise or room that cannot be read.
    """
    digest = hashlib.sha256(recording.encode()).digest()
    generator = np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
    speakers, paths = _cast(sources, settings, generator)
    duration_s = round(float(generator.uniform(settings.min_s, settings.max_s)), 3)
    share = float(generator.uniform(settings.min_overlap, settings.max_overlap))
    rules = TurnTaking(**{**asdict(settings.turns), "overlap_share": share})
    voices = [Voice(own, one) for own, one in zip(paths, generator.spawn(len(paths)), strict=True)]
    placed = take_turns([voice.take for voice in voices], duration_s, rules, generator)
    tracks = _tracks(placed, len(speakers), to_samples(duration_s, RATE_HZ))
    samples, acoustics = _scene(tracks, sources, settings, generator)
    reference = _reference(placed, speakers, recording)
    facts: dict[str, object] = {"split": settings.split, "speakers": speakers, **acoustics}
    facts |= {"overlap_aim": round(share, 4), "overlap": round(overlap_share(reference), 4)}
    return Conversation(recording, samples, RATE_HZ, reference, seed, facts)


def write_conversations(
    conversations: Iterator[Conversation] | Sequence[Conversation], folder: Path | str
) -> int:
    """Write each as `audio/ID.wav` (16-bit), all as ref.rttm, all.uem, manifest.jsonl; how many.

    `facts.jsonl` says what was drawn for each recording. The lists are written last: with them
    in place the folder is whole.

    Raises:
        BadFile: the folder cannot be written.
    """
    from pyannote.core import Segment, Timeline

    from diarize.corpora.wav import save_wav
    from diarize.formats.manifest import Recording, write_manifest
    from diarize.formats.rttm import save_rttm
    from diarize.formats.text import save_text
    from diarize.formats.uem import save_uem

    folder = Path(folder)
    references, timelines, entries, facts = {}, {}, [], []
    for one in conversations:
        audio = folder / "audio" / f"{one.recording}.wav"
        save_wav(audio, one.samples, one.rate_hz)
        duration_s = len(one.samples) / one.rate_hz
        references[one.recording] = one.reference
        timelines[one.recording] = Timeline([Segment(0, duration_s)], uri=one.recording)
        entries.append(
            Recording(one.recording, audio, folder / "ref.rttm", folder / "all.uem", duration_s)
        )
        facts.append(json.dumps({"recording": one.recording, "seed": one.seed, **one.facts}))
    save_rttm(folder / "ref.rttm", references)
    save_uem(folder / "all.uem", timelines)
    save_text(folder / "facts.jsonl", "".join(line + "\n" for line in facts))
    write_manifest(folder / "manifest.jsonl", entries)
    return len(entries)


def overlap_share(reference: Annotation) -> float:
    """How much of the time with speech has more than one person speaking, 0 to 1."""
    spoken_s = reference.get_timeline().support().duration()
    return float(reference.get_overlap().duration() / spoken_s) if spoken_s else 0.0


def _cast(
    sources: Sources, settings: SimulatedSettings, generator: np.random.Generator
) -> tuple[list[str], list[list[Path]]]:
    """The speakers of one conversation, and the files of each."""
    files: dict[str, list[Utterance]] = {}
    for utterance in sources.utterances:
        if not settings.collections or utterance.collection in settings.collections:
            files.setdefault(utterance.speaker, []).append(utterance)
    able = [
        speaker
        for speaker in in_split(files, settings.split)
        if sum(one.duration_s for one in files[speaker]) >= settings.min_speaker_s
    ]
    n_speakers = int(generator.integers(settings.min_speakers, settings.max_speakers + 1))
    if len(able) < n_speakers:
        raise BadCall(
            f"split {settings.split!r} has {len(able)} speakers with {settings.min_speaker_s:g} s "
            f"or more; {n_speakers} are needed"
        )
    chosen = [able[i] for i in generator.choice(len(able), n_speakers, replace=False)]
    return chosen, [[one.path for one in files[speaker]] for speaker in chosen]


def _tracks(
    placed: Sequence[Placed], n_speakers: int, n_samples: int
) -> Float32[np.ndarray, "speaker time"]:
    tracks = np.zeros((n_speakers, n_samples), np.float32)
    for one in placed:
        first = to_samples(one.start_s, RATE_HZ)
        room = tracks[one.speaker, first : first + len(one.spoken.samples)]
        room += one.spoken.samples[: len(room)]
    return tracks


def _scene(
    tracks: Float32[np.ndarray, "speaker time"],
    sources: Sources,
    settings: SimulatedSettings,
    generator: np.random.Generator,
) -> tuple[Float32[np.ndarray, " time"], dict[str, object]]:
    """All tracks as one microphone hears them, and what was drawn."""
    rooms = _of_split(sources.rooms, settings.split)
    noises = _of_split(sources.noises, settings.split)
    placed, facts = in_room(tracks, rooms, settings.acoustics, generator)
    speech = placed.sum(axis=0)
    samples, noise_facts = background(speech, noises, settings.acoustics, generator)
    level_dbfs = generator.uniform(settings.acoustics.min_dbfs, settings.acoustics.max_dbfs)
    samples = samples * gain(level_dbfs - active_level_dbfs(speech, RATE_HZ))
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > PEAK:
        samples = samples * (PEAK / peak)
    return samples.astype(np.float32), {**facts, **noise_facts}


def _of_split(files: Sequence[Path], split: str) -> list[Path]:
    chosen = set(in_split([path.name for path in files], split))
    return [path for path in files if path.name in chosen]


def _reference(placed: Sequence[Placed], speakers: Sequence[str], recording: str) -> Annotation:
    from pyannote.core import Annotation, Segment

    if not placed:
        raise BadFile(f"{recording}: no turn fits into it; expected a longer recording")
    reference = Annotation(uri=recording)
    for track, one in enumerate(sorted(placed, key=lambda one: (one.start_s, one.speaker))):
        for start, end in one.spoken.spans:
            segment = Segment(round(one.start_s + start, 3), round(one.start_s + end, 3))
            reference[segment, track] = speakers[one.speaker]
    return reference.support()
