"""What was heard of a recording, and who truly talks there, in a file, to train on."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from pyannote.core import Annotation

from diarize.audio.io import read_audio
from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadFile
from diarize.features.segmentation import HOP_S, START_S, LocalActivity, load_segmentation
from diarize.features.speaker import load_speaker_network
from diarize.features.store import FeatureStore, store_in_use
from diarize.formats.manifest import Recording, read_manifest
from diarize.formats.rttm import read_rttm
from diarize.inference.cluster import Units
from diarize.inference.ears import Ears
from diarize.inference.hearing import Heard, hear
from diarize.inference.voices import Voices

FOLDER = "heard"
LOG = logging.getLogger(__name__)
ARRAYS = (
    "posterior", "speech_in_window", "overlap_in_window", "first_frame", "context",
    "speech", "overlap", "voice", "mel", "typical", "around",
    "unit_statistic", "unit_talk_s", "unit_window", "unit_place",
    "local", "local_window", "local_place", "truth",
)  # fmt: skip
HALF = ("posterior", "speech_in_window", "overlap_in_window")


@dataclass(frozen=True)
class HeardTruth:
    """What was heard of a recording, and who truly talks."""

    recording: str
    heard: Heard
    truth: Bool[np.ndarray, "speaker frame"]


def prepare_heard(
    folder: Path | str,
    progress: Callable[[float], None] | None = None,
    part: tuple[int, int] = (1, 1),
    store: FeatureStore | None = None,
) -> list[Path]:
    """Listen to all recordings of `folder/manifest.jsonl` that have a truth; the files of it.

    Files lie in `folder/heard`; those that are there, of the same sound and the same truth, are
    kept. `part` (2, 3) is the second of three shares of the recordings, for several at work. What
    `store` has, by default the one that the environment names, is not listened to; if it cannot
    do its part, a warning is logged.

    Raises:
        BadFile: the manifest, a recording or its truth cannot be read, or none has a truth.
    """
    folder = Path(folder)
    entries = [one for one in read_manifest(folder / "manifest.jsonl") if one.rttm]
    if not entries:
        raise BadFile(f"{folder / 'manifest.jsonl'}: no recording with an rttm; one is wanted")
    listen = _listener(store or store_in_use())
    truths: dict[Path, dict[str, Annotation]] = {}
    found = []
    number, of = part
    entries = entries[number - 1 :: of]
    for done, entry in enumerate(entries, start=1):
        path = folder / FOLDER / f"{entry.recording}.safetensors"
        assert entry.rttm is not None  # of those without, none is left
        if entry.rttm not in truths:
            truths[entry.rttm] = read_rttm(entry.rttm)
        reference = _reference(entry, truths[entry.rttm])
        source = _source(entry, reference)
        if _source_of(path) != source:
            heard = listen(read_audio(entry.audio).samples, entry.recording)
            save_heard(path, heard, truth_on_frames(reference, heard.n_frames), source)
        found.append(path)
        if progress is not None:
            progress(done / len(entries))
    return found


def truth_on_frames(reference: Annotation, n_frames: int) -> Bool[np.ndarray, "speaker frame"]:
    """Who talks at the middle of each frame of the segmentation; speakers by their names' order."""
    middle_s = START_S + (np.arange(n_frames) + 0.5) * HOP_S
    speakers = sorted(reference.labels(), key=str)
    truth = np.zeros((len(speakers), n_frames), dtype=bool)
    for segment, _, label in reference.itertracks(yield_label=True):
        row = speakers.index(label)
        truth[row] |= (middle_s >= segment.start) & (middle_s < segment.end)
    return truth


def save_heard(
    path: Path, heard: Heard, truth: Bool[np.ndarray, "speaker frame"], source: str = ""
) -> None:
    """Write what was heard and the truth to `path`, windows' posteriors in half precision.

    `source` is what tells this sound and truth from any other.
    """
    local, voices = heard.local, heard.voices
    values = (
        local.posterior, local.speech, local.overlap, local.first_frame, local.context,
        heard.speech, heard.overlap, heard.voice, heard.mel, heard.typical, heard.around,
        voices.units.statistic.astype(np.float32), voices.units.talk_s,
        voices.units.window, voices.units.place,
        voices.local, voices.local_window, voices.local_place, truth.astype(np.uint8),
    )  # fmt: skip
    arrays = {name: np.asarray(value) for name, value in zip(ARRAYS, values, strict=True)}
    arrays |= {name: arrays[name].astype(np.float16) for name in HALF}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, arrays, {"voice_hop_s": str(heard.voice_hop_s), "source": source})


def read_heard(path: Path) -> HeardTruth:
    """What `save_heard` wrote; glimpses, which training does without, are not in it.

    Raises:
        BadFile: there is no such file, or it is no such file.
    """
    arrays, facts = read_tensors(path, ARRAYS)
    if "voice_hop_s" not in facts:
        raise BadFile(f"{path}: does not say voice_hop_s; run diarize prepare again")
    arrays |= {name: arrays[name].astype(np.float32) for name in HALF}
    values = [arrays[name] for name in ARRAYS]
    posterior, in_window, two_in_window, first_frame, context = values[:5]
    speech, overlap, voice, mel, typical, around = values[5:11]
    statistic, talk_s, unit_window, unit_place, local, window, place, truth = values[11:]
    return HeardTruth(
        path.stem,
        Heard(
            local=LocalActivity(
                posterior, in_window, two_in_window, first_frame, len(speech), context
            ),
            speech=speech,
            overlap=overlap,
            voice=voice,
            voice_hop_s=float(facts["voice_hop_s"]),
            mel=mel,
            typical=typical,
            around=around,
            voices=Voices(
                Units(statistic.astype(np.float64), talk_s, unit_window, unit_place),
                local,
                window,
                place,
                (),
                (),
            ),
        ),
        truth.astype(bool),
    )


def _listener(store: FeatureStore | None) -> Callable[[np.ndarray, str], Heard]:
    """What is heard of samples, given those and the recording's id, through the store if any."""
    networks = load_segmentation(), load_speaker_network("campplus")
    if store is None:
        return lambda samples, recording: hear(samples, *networks)
    ears = Ears(*networks, store)

    def listen(samples: np.ndarray, recording: str) -> Heard:
        listening = ears.listen(samples, recording=recording)
        heard = listening.heard()
        for note in listening.notes:
            LOG.warning("%s: %s", recording, note)
        return heard

    return listen


def _reference(entry: Recording, truths: dict[str, Annotation]) -> Annotation:
    if entry.recording not in truths:
        raise BadFile(f"{entry.rttm}: no turns of {entry.recording}, which the manifest names")
    return truths[entry.recording]


def _source(entry: Recording, reference: Annotation) -> str:
    """A digest of a recording's sound and of who truly talks there."""
    digest = hashlib.sha256()
    with contextlib.suppress(OSError):  # reading the sound will tell
        digest.update(entry.audio.read_bytes())
    turns = [
        (turn.start, turn.end, str(who)) for turn, _, who in reference.itertracks(yield_label=True)
    ]
    digest.update(repr(sorted(turns)).encode())
    return digest.hexdigest()


def _source_of(path: Path) -> str | None:
    """What a file of `save_heard` was made of; None if it cannot be read."""
    try:
        return read_tensors(path, ())[1].get("source")
    except BadFile:
        return None
