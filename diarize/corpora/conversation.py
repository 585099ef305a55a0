"""A recording that was made rather than found: its sound, its truth, and files of both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32

from diarize.audio.energy import active_level_dbfs
from diarize.audio.frames import to_samples
from diarize.audio.io import RATE_HZ
from diarize.audio.mix import gain
from diarize.corpora.acoustics import Acoustics, background, carried, in_room
from diarize.corpora.turn_taking import Placed
from diarize.corpora.wav import save_wav
from diarize.errors import BadCall
from diarize.formats.manifest import Recording, write_manifest
from diarize.formats.text import save_text

if TYPE_CHECKING:
    from pyannote.core import Annotation

PEAK = 0.95


@dataclass(frozen=True)
class Conversation:
    """One recording and its truth; `facts` says what was drawn for it."""

    recording: str
    samples: Float32[np.ndarray, " time"]
    rate_hz: int
    reference: Annotation
    seed: int
    facts: dict[str, object]


def write_conversations(conversations: Iterable[Conversation], folder: Path | str) -> int:
    """Write each as `audio/ID.wav` (16-bit) and all their lists into `folder`; how many.

    `facts.jsonl` says what was drawn for each recording.

    Raises:
        BadCall: two conversations have one name.
        BadFile: the folder cannot be written.
    """
    folder = Path(folder)
    made, facts = [], []
    for one in conversations:
        made.append((saved(one, folder), one.reference))
        facts.append(json.dumps({"recording": one.recording, "seed": one.seed, **one.facts}))
    save_text(folder / "facts.jsonl", "".join(line + "\n" for line in facts))
    write_lists(made, folder)
    return len(made)


def saved(conversation: Conversation, folder: Path) -> Recording:
    """The conversation's entry for a manifest, once its sound is in `folder/audio`."""
    audio = folder / "audio" / f"{conversation.recording}.wav"
    save_wav(audio, conversation.samples, conversation.rate_hz)
    duration_s = len(conversation.samples) / conversation.rate_hz
    return Recording(conversation.recording, audio, duration_s=duration_s)


def write_lists(made: Iterable[tuple[Recording, Annotation]], folder: Path) -> None:
    """Write ref.rttm, all.uem (the whole of each recording) and manifest.jsonl, this one last.

    Raises:
        BadCall: two recordings have one name.
        BadFile: the folder cannot be written.
    """
    from pyannote.core import Segment, Timeline

    from diarize.formats.rttm import save_rttm
    from diarize.formats.uem import save_uem

    truth_path, uem_path = folder / "ref.rttm", folder / "all.uem"
    references, timelines, entries = {}, {}, []
    for recording, reference in made:
        name = recording.recording
        references[name] = reference
        timelines[name] = Timeline([Segment(0, recording.duration_s)], uri=name)
        entries.append(replace(recording, rttm=truth_path, uem=uem_path))
    save_rttm(truth_path, references)
    save_uem(uem_path, timelines)
    write_manifest(folder / "manifest.jsonl", entries)


def overlap_share(reference: Annotation) -> float:
    """How much of the time with speech has more than one person speaking, 0 to 1."""
    spoken_s = reference.get_timeline().support().duration()
    return float(reference.get_overlap().duration() / spoken_s) if spoken_s else 0.0


def heard(
    placed: Sequence[Placed],
    n_samples: int,
    rooms: Sequence[Path],
    noises: Sequence[Path],
    acoustics: Acoustics,
    generator: np.random.Generator,
) -> tuple[Float32[np.ndarray, " time"], dict[str, object]]:
    """All turns as one microphone hears them, and what was drawn for that."""
    tracks = np.zeros((1 + max((one.speaker for one in placed), default=0), n_samples), np.float32)
    for one in placed:
        first = to_samples(one.start_s, RATE_HZ)
        room = tracks[one.speaker, first : first + len(one.spoken.samples)]
        room += one.spoken.samples[: len(room)]
    in_place, facts = in_room(tracks, rooms, acoustics, generator)
    speech = in_place.sum(axis=0)
    samples, noise_facts = background(speech, noises, acoustics, generator)
    level_dbfs = float(generator.uniform(acoustics.min_dbfs, acoustics.max_dbfs))
    samples = samples * np.float32(gain(level_dbfs - active_level_dbfs(speech, RATE_HZ)))
    samples = _within_full_scale(samples)
    return carried(samples) if facts.get("call") else samples, {**facts, **noise_facts}


def _within_full_scale(samples: Float[np.ndarray, " time"]) -> Float32[np.ndarray, " time"]:
    peak = float(np.abs(samples).max(initial=0.0))
    return (samples * min(1.0, PEAK / max(peak, 1e-9))).astype(np.float32)


def truth(
    placed: Sequence[Placed], speakers: Sequence[str], recording: str, bridged_s: float = 0.0
) -> Annotation:
    """Who speaks when, by name; a speaker's spans that touch are one turn.

    So are those that a shorter pause than `bridged_s` parts, whoever speaks in it.

    Raises:
        BadCall: nothing was placed.
    """
    from pyannote.core import Annotation, Segment

    if not placed:
        raise BadCall(f"{recording}: no turn fits into it; expected a longer recording")
    reference = Annotation(uri=recording)
    for track, one in enumerate(sorted(placed, key=lambda one: (one.start_s, one.speaker))):
        for start, end in one.spoken.spans:
            segment = Segment(round(one.start_s + start, 3), round(one.start_s + end, 3))
            reference[segment, track] = speakers[one.speaker]
    return reference.support(bridged_s)
