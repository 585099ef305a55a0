"""Recordings with one speaker a channel: their sum is a mixture whose parts are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from jaxtyping import Bool, Float, Float32

from diarize.audio.energy import SpeechRule, active_frames, frame_levels_db, tidy_spans
from diarize.audio.frames import FrameGrid
from diarize.corpora.conversation import write_lists
from diarize.corpora.wav import whole
from diarize.errors import BadFile
from diarize.formats.manifest import Recording, read_manifest

if TYPE_CHECKING:
    from pyannote.core import Annotation

N_CHANNELS = 2
CROSSTALK_DB = 12.0  # a channel so far under the other hears the other's speaker
Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class TwoChannel:
    """A recording of two speakers; `spans` are the start and end (s) of each one's speech.

    The first row of `channels` and of `spans` is the first speaker's.
    """

    recording: str
    channels: Float32[np.ndarray, "channel time"]
    rate_hz: int
    spans: tuple[Spans, Spans]

    @property
    def mixture(self) -> Float32[np.ndarray, " time"]:
        """What one microphone would hear: the sum."""
        return self.channels.sum(axis=0)

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self.channels.shape[1] / self.rate_hz

    def active(self, grid: FrameGrid) -> Bool[np.ndarray, "speaker frame"]:
        """In which frames each speaker talks."""
        return np.stack([grid.active(spans) for spans in self.spans])

    def between(self, start_s: float, end_s: float, recording: str) -> TwoChannel:
        """The part from `start_s` to `end_s`, with times counted from its start."""
        first, last = (round(edge_s * self.rate_hz) for edge_s in (start_s, end_s))
        first_span, second_span = (
            tuple(
                (max(start, start_s) - start_s, min(end, end_s) - start_s)
                for start, end in spans
                if min(end, end_s) > max(start, start_s)
            )
            for spans in self.spans
        )
        samples = self.channels[:, first:last]
        return TwoChannel(recording, samples, self.rate_hz, (first_span, second_span))


def read_two_channel(path: Path | str) -> TwoChannel:
    """A recording of two channels, at its own rate, with the speech that each channel holds.

    Speech is found by level (`audio.energy`); where one channel lies `CROSSTALK_DB` or more under
    the other, what it hears is taken to be the other's speaker.

    Raises:
        BadFile: it cannot be read, has not two channels, or a channel without speech.
    """
    channels, rate_hz = _read(Path(path))
    levels = np.stack([frame_levels_db(one, rate_hz) for one in channels])
    rule = SpeechRule()
    spans = []
    for number, (own, other) in enumerate(zip(levels, levels[::-1], strict=True), start=1):
        loud = active_frames(own)
        if not loud.any():
            raise BadFile(f"{path}: channel {number} is silent; expected a speaker in each")
        speech_db = float(10 * np.log10(np.mean(10 ** (own[loud] / 10))))
        floor_db = float(np.quantile(own, 0.05)) + rule.above_floor_db
        threshold_db = max(speech_db - rule.range_db, min(floor_db, speech_db - 18.0))
        spans.append(tuple(tidy_spans((own > threshold_db) & (own > other - CROSSTALK_DB), rule)))
    return TwoChannel(Path(path).stem, channels, rate_hz, (spans[0], spans[1]))


def write_part(recordings: Iterable[TwoChannel], speakers: tuple[str, str], folder: Path) -> int:
    """Write recordings as `audio/ID.wav` and their lists, as other corpora are; how many.

    Raises:
        BadFile: the folder cannot be written.
    """
    made = []
    for one in recordings:
        path = folder / "audio" / f"{one.recording}.wav"
        with whole(path) as unfinished:
            soundfile.write(unfinished, one.channels.T, one.rate_hz, "PCM_16", format="WAV")
        entry = Recording(one.recording, path, duration_s=round(one.duration_s, 3))
        made.append((entry, truth_of(one, speakers)))
    write_lists(made, folder)
    return len(made)


def read_part(folder: Path, speakers: tuple[str, str]) -> list[TwoChannel]:
    """The recordings that `write_part` wrote.

    Raises:
        BadFile: nothing is there, or something broken.
    """
    from diarize.formats.rttm import read_rttm

    truth = read_rttm(folder / "ref.rttm")
    recordings = []
    for entry in read_manifest(folder / "manifest.jsonl"):
        channels, rate_hz = _read(entry.audio)
        turns = truth.get(entry.recording)
        first, second = (
            tuple((one.start, one.end) for one in turns.label_timeline(name)) if turns else ()
            for name in speakers
        )
        recordings.append(TwoChannel(entry.recording, channels, rate_hz, (first, second)))
    return recordings


def truth_of(recording: TwoChannel, speakers: tuple[str, str]) -> Annotation:
    """Who speaks when, by name."""
    from pyannote.core import Annotation, Segment

    truth = Annotation(uri=recording.recording)
    for name, spans in zip(speakers, recording.spans, strict=True):
        for start, end in spans:
            truth[Segment(round(start, 3), round(end, 3)), name] = name
    return truth.support()


def sounded(samples: Float[np.ndarray, "channel time"]) -> Float32[np.ndarray, "channel time"]:
    """The samples, quieter as far as their sum would pass full scale."""
    peak = float(np.abs(samples.sum(axis=0)).max(initial=0.0))
    return (samples * min(1.0, 0.95 / max(peak, 1e-9))).astype(np.float32)


def _read(path: Path) -> tuple[Float32[np.ndarray, "channel time"], int]:
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadFile(f"{path}: cannot be read ({error}); expected wav or flac") from error
    if samples.shape[1] != N_CHANNELS:
        raise BadFile(
            f"{path}: {samples.shape[1]} channels; expected two, one a speaker (a recording of one "
            "channel goes to `diarize infer`)"
        )
    if not np.isfinite(samples).all():
        raise BadFile(f"{path}: samples that are no numbers; expected numbers throughout")
    return np.ascontiguousarray(samples.T), int(rate_hz)
