"""Conversations made from recordings of single speakers, with the exact truth of who spoke when.

The truth is measured, not planned: each utterance's own pauses are found on its clean source
(`audio/energy`), so that a turn in the reference is as tight as one aligned word by word.
A conversation depends on its settings, its sources, a seed and its name, on nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from diarize.audio.frames import to_samples
from diarize.audio.io import RATE_HZ
from diarize.corpora.acoustics import Acoustics
from diarize.corpora.conversation import (
    Conversation,
    heard,
    overlap_share,
    truth,
    write_conversations,
)
from diarize.corpora.phrases import Voice
from diarize.corpora.speech_table import Utterance, audio_files, in_split, read_speech_table
from diarize.corpora.stamp import Fetched, finished, mark, stamp_of
from diarize.corpora.turn_taking import TurnTaking, take_turns
from diarize.errors import BadCall


@dataclass(frozen=True)
class SimulatedSettings:
    """What the conversations are like; ranges are drawn from evenly, ends included.

    `split` takes the speakers, noises and rooms of one split only ("all" takes every one);
    `min_speaker_s` leaves out speakers with less sound than that, `collections` all but those
    sets of the table (empty: every set). `speeds` makes several voices of each speaker by playing
    him faster or slower (empty: as he is); a conversation has at most one of them. With
    `backchannels_follow`, their rate in `turns` belongs to the overlap share there, and goes up
    and down with the one that is drawn. Pauses of one speaker shorter than `bridged_s` count as
    speech in the truth, as in references made from segments (0: the truth is tight).
    The rest as in TurnTaking and Acoustics.
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
    speeds: tuple[float, ...] = ()
    bridged_s: float = 0.0
    backchannels_follow: bool = False
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
        for speed in self.speeds:
            if not 0.5 <= speed <= 2:
                raise BadCall(f"speeds = {list(self.speeds)}; expected numbers from 0.5 to 2")
        if not 0 <= self.bridged_s <= 5:
            raise BadCall(f"bridged_s = {self.bridged_s}; expected 0 to 5 seconds")


@dataclass(frozen=True)
class Sources:
    """What conversations are made of: utterances, and files of noises and room responses."""

    utterances: tuple[Utterance, ...]
    noises: tuple[Path, ...] = ()
    rooms: tuple[Path, ...] = ()


@dataclass(frozen=True)
class SimulatedData:
    """The `[data]` table of a conf: where the sources are, and how many to make of them.

    `speech` is a folder with a `speakers.tsv`; `noises` and `rooms` are folders of sound files.
    """

    speech: Path | None = None
    noises: Path | None = None
    rooms: Path | None = None
    count: int = 10
    seed: int = 0
    conversations: SimulatedSettings = field(default_factory=SimulatedSettings)

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1_000_000:
            raise BadCall(f"count = {self.count}; expected 1 to 1000000 conversations")


def make_simulated(folder: Path | str, data: SimulatedData) -> Fetched:
    """Make the conversations in `folder`, or find them whole.

    Raises:
        BadCall: no speech was named, too few speakers, or the folder holds another corpus.
        BadFile: a source that cannot be read, or a folder that cannot be written.
    """
    if data.speech is None:
        raise BadCall("no folder of speech named; give --speech DIR (it holds speakers.tsv)")
    folder = Path(folder)
    stamp = stamp_of("simulated", data)
    if found := finished(folder, stamp):
        return found
    sources = read_sources(data.speech, data.noises, data.rooms)
    split = data.conversations.split
    names = [f"{split}_{number:05d}" for number in range(data.count)]
    write_conversations(
        (simulate(sources, data.conversations, data.seed, name) for name in names), folder
    )
    mark(folder, stamp)
    return Fetched(folder / "manifest.jsonl", data.count, is_new=True)


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
    voices = _cast(sources, settings, generator)
    speakers = list(voices)
    duration_s = round(float(generator.uniform(settings.min_s, settings.max_s)), 3)
    share = float(generator.uniform(settings.min_overlap, settings.max_overlap))
    rules = _rules(settings, share)
    takes = [voice.take for voice in voices.values()]
    placed = take_turns(takes, duration_s, rules, generator)
    samples, acoustics = heard(
        placed,
        to_samples(duration_s, RATE_HZ),
        _of_split(sources.rooms, settings.split),
        _of_split(sources.noises, settings.split),
        settings.acoustics,
        generator,
    )
    reference = truth(placed, speakers, recording, settings.bridged_s)
    facts: dict[str, object] = {"split": settings.split, "speakers": speakers, **acoustics}
    facts |= {"overlap_aim": round(share, 4), "overlap": round(overlap_share(reference), 4)}
    return Conversation(recording, samples, RATE_HZ, reference, seed, facts)


def _rules(settings: SimulatedSettings, share: float) -> TurnTaking:
    """The rules of turn-taking for that share of overlap."""
    rules = replace(settings.turns, overlap_share=share)
    if not settings.backchannels_follow or not settings.turns.overlap_share:
        return rules
    factor = share / settings.turns.overlap_share
    return replace(rules, backchannels_per_min=factor * rules.backchannels_per_min)


def _cast(
    sources: Sources, settings: SimulatedSettings, generator: np.random.Generator
) -> dict[str, Voice]:
    """The speakers of one conversation, in an order of chance."""
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
    voices: dict[str, Voice] = {}
    for index in generator.permutation(len(able)):
        paths = [one.path for one in files[able[index]]]
        speed = float(generator.choice(settings.speeds)) if settings.speeds else 1.0
        voice = Voice(paths, generator.spawn(1)[0], speed=speed)
        if voice.can_speak():
            voices[voice_name(able[index], speed)] = voice
        if len(voices) == n_speakers:
            return voices
    raise BadCall(
        f"split {settings.split!r} has {len(voices)} speakers with {settings.min_speaker_s:g} s "
        f"or more of clean speech; {n_speakers} are needed"
    )


def voice_name(speaker: str, speed: float) -> str:
    """What a speaker is called at a speed: somebody else, unless it is his own.

    >>> voice_name("ann", 1.0), voice_name("ann", 1.1)
    ('ann', 'ann@1.1')
    """
    return speaker if speed == 1 else f"{speaker}@{speed:g}"


def _of_split(files: Sequence[Path], split: str) -> list[Path]:
    chosen = set(in_split([path.name for path in files], split))
    return [path for path in files if path.name in chosen]
