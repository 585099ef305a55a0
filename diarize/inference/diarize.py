"""The diarizer: a recording in, who spoke when out, with what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float, Int
from pyannote.core import Annotation, Segment

from diarize import __version__
from diarize.audio.io import Audio, audio_from_array, read_audio
from diarize.errors import BadCall
from diarize.features.segmentation import (
    HOP_S,
    RATE_HZ,
    START_S,
    LocalActivity,
    load_segmentation,
    segment,
)
from diarize.features.speaker import SpeakerNetwork, VoiceMask, embed_voices, load_speaker_network
from diarize.features.vad import DETECTORS, detect_speech
from diarize.formats.exports import Export, csv_text, json_text
from diarize.formats.rttm import rttm_text
from diarize.formats.text import one_word
from diarize.inference.cluster import ClusterSettings, Speakers, find_speakers
from diarize.inference.stitch import NOBODY, match_windows, overlap_add
from diarize.inference.turns import TurnSettings, active_speakers, to_turns
from diarize.models.contract import Activity

SEGMENTATION = "segmentation"
ON = 0.5  # a local speaker more probable than this counts as talking when embeddings are pooled
LEAST_POOLED_S = 0.1  # a local speaker who talks less is not looked at
LEAST_SOLO_S = 0.5  # with less speech alone, overlapped speech is pooled too
DEFAULT_MAX_SPEAKERS = 20
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class DiarizerSettings:
    """All that decides a result besides the recording."""

    vad: str = SEGMENTATION  # segmentation, silero or webrtc
    embedder: str = "campplus"  # campplus or ecapa
    hop_frames: int = 148  # between windows, in frames of 16.875 ms: about 2.5 s
    exclusive: bool = False  # at most one speaker at a time
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    speech_threshold: float = TurnSettings.speech_threshold
    overlap_threshold: float = TurnSettings.overlap_threshold
    shortest_gap_s: float = TurnSettings.shortest_gap_s
    shortest_turn_s: float = TurnSettings.shortest_turn_s
    cluster_distance: float = ClusterSettings.distance
    segmentation_weights: Path | None = None
    embedder_weights: Path | None = None

    def __post_init__(self) -> None:
        if self.vad != SEGMENTATION and self.vad not in DETECTORS:
            names = ", ".join([SEGMENTATION, *DETECTORS])
            raise BadCall(f"no voice activity detector {self.vad!r}; there are {names}")
        if self.hop_frames < 1:
            raise BadCall(f"hop_frames is {self.hop_frames}; it must be at least 1")
        speaker_bounds(self)

    @property
    def turns(self) -> TurnSettings:
        """The settings of `inference.turns`."""
        threshold = self.speech_threshold if self.vad == SEGMENTATION else ON
        return TurnSettings(
            speech_threshold=threshold,
            overlap_threshold=self.overlap_threshold,
            shortest_gap_s=self.shortest_gap_s,
            shortest_turn_s=self.shortest_turn_s,
        )


@dataclass(frozen=True)
class Speaker:
    """One person in the recording."""

    name: str
    speech_s: float
    embedding: Float[np.ndarray, " dimension"]  # of unit length


@dataclass(frozen=True)
class Diarization:
    """Who spoke when in one recording, and how sure that is."""

    recording: str
    duration_s: float
    annotation: Annotation
    posterior: Activity
    speakers: tuple[Speaker, ...]
    probability: Mapping[tuple[Segment, Hashable], float]  # of each turn of `annotation`
    notes: tuple[str, ...] = ()  # what was done to the audio before listening
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def to_rttm(self) -> str:
        """The turns as RTTM, a line each."""
        return rttm_text(self.annotation, self.recording)

    def to_json(self, with_posterior: bool = True) -> str:
        """Turns with their probabilities, speakers, and (unless told not to) the frame posterior."""
        return json_text(self._export(with_posterior))

    def to_csv(self) -> str:
        """The turns as a table with a header."""
        return csv_text(self._export(with_posterior=False))

    def within(self, regions: Any) -> Diarization:
        """The same, with only what lies in `regions` (a pyannote.core Timeline, as of a UEM)."""
        from pyannote.core import Timeline

        kept = self.annotation.crop(regions.support(), mode="intersection")
        annotation = Annotation(uri=self.recording)
        probability: dict[tuple[Segment, Hashable], float] = {}
        whole = {
            (segment.start, label, segment.end): self.probability[segment, track]
            for segment, track, label in self.annotation.itertracks(yield_label=True)
        }
        for segment, _, label in kept.itertracks(yield_label=True):
            annotation[segment, label] = label
            for (start, name, end), sure in whole.items():
                if name == label and start <= segment.start and segment.end <= end:
                    probability[segment, label] = sure
        assert isinstance(regions, Timeline)
        return replace(self, annotation=annotation, probability=probability)

    def _export(self, with_posterior: bool) -> Export:
        return Export(
            annotation=self.annotation,
            recording=self.recording,
            duration_s=self.duration_s,
            probability=self.probability,
            activity=self.posterior if with_posterior else None,
            made_with=self.made_with,
        )

    def _repr_png_(self) -> bytes:
        from diarize.viz.timeline import png, timeline

        return png(timeline(self.annotation, activity=self.posterior, duration_s=self.duration_s))


def speaker_bounds(settings: DiarizerSettings) -> tuple[int, int]:
    """The least and the greatest number of speakers that may be found.

    Raises:
        BadCall: a number below one, or a least above the greatest.
    """
    asked = settings.num_speakers, settings.min_speakers, settings.max_speakers
    for name, number in zip(("num", "min", "max"), asked, strict=True):
        if number is not None and number < 1:
            raise BadCall(f"--{name}-speakers is {number}; it must be at least 1")
    exactly, least, most = asked
    if exactly is not None:
        if least is not None and least > exactly or most is not None and most < exactly:
            raise BadCall(f"--num-speakers {exactly} lies outside the given least and greatest")
        return exactly, exactly
    if least is not None and most is not None and least > most:
        raise BadCall(f"--min-speakers {least} is more than --max-speakers {most}")
    return least or 1, most or max(DEFAULT_MAX_SPEAKERS, least or 1)


class Diarizer:
    """Who spoke when. Loads its networks once; may be called from several threads.

    >>> Diarizer(DiarizerSettings(min_speakers=3, max_speakers=2))
    Traceback (most recent call last):
    diarize.errors.BadCall: --min-speakers 3 is more than --max-speakers 2
    """

    def __init__(self, settings: DiarizerSettings | None = None, device: str = "cpu") -> None:
        self.settings = settings or DiarizerSettings()
        self._segmentation = load_segmentation(self.settings.segmentation_weights).to(device)
        self._voices = load_speaker_network(
            self.settings.embedder, self.settings.embedder_weights, device
        )

    def __call__(
        self,
        source: str | Path | BinaryIO | Audio | Any,
        num_speakers: int | None = None,
        rate_hz: int | None = None,
        progress: Progress | None = None,
        recording: str | None = None,
    ) -> Diarization:
        """Who spoke when in `source`: a path, a binary stream, `Audio`, or an array.

        An array is (time,) or (channel, time) and needs `rate_hz`. `progress` is told the name of
        the step and the share of it that is done. `recording` names the result; by default the
        file's name does.

        Raises:
            BadFile: the audio cannot be used.
            BadCall: an array without a rate, or a number of speakers below one.
        """
        settings = self.settings
        if num_speakers is not None:
            settings = replace(
                settings, num_speakers=num_speakers, min_speakers=None, max_speakers=None
            )
        audio = _audio(source, rate_hz)
        name = one_word(recording or audio.recording)
        tell = progress or (lambda step, share: None)
        local = segment(
            self._segmentation,
            audio.samples,
            settings.hop_frames,
            lambda share: tell("segmentation", share),
        )
        items = _items(local, self._voices)
        embedding = embed_voices(
            self._voices,
            audio.samples,
            [item.mask for item in items],
            lambda share: tell("embedding", share),
        )
        speakers, place = _who(local, items, embedding, settings)
        return _result(audio, name, local, speakers, place, settings)


def _audio(source: str | Path | BinaryIO | Audio | Any, rate_hz: int | None) -> Audio:
    if isinstance(source, Audio):
        return source
    if isinstance(source, str | Path) or hasattr(source, "read"):
        return read_audio(source)
    if rate_hz is None:
        raise BadCall("an array of samples needs its rate: rate_hz=16000, say")
    return audio_from_array(source, rate_hz)


@dataclass(frozen=True)
class _Item:
    """A local speaker of one window, and the frames that hold his voice."""

    window: int
    local: int
    mask: VoiceMask
    solo_s: float


def _items(local: LocalActivity, network: SpeakerNetwork) -> list[_Item]:
    """The local speakers who talk at all, with masks on the frames of the speaker network."""
    hop_s = network.hop_samples / RATE_HZ
    n_frames = local.posterior.shape[1]
    n_masked = round(n_frames * HOP_S / hop_s)
    index = ((np.arange(n_masked) + 0.5) * hop_s / HOP_S).astype(np.int64).clip(0, n_frames - 1)
    items = []
    for window, first_frame in enumerate(local.first_frame):
        on = local.posterior[window] > ON
        alone = on & (on.sum(axis=1, keepdims=True) == 1)
        first = round((float(first_frame) * HOP_S + START_S) / hop_s)
        for place in np.flatnonzero(on.sum(axis=0) * HOP_S >= LEAST_POOLED_S):
            solo_s = float(alone[:, place].sum() * HOP_S)
            chosen = (alone if solo_s >= LEAST_SOLO_S else on)[index, place]
            items.append(_Item(window, int(place), VoiceMask(first, chosen), solo_s))
    return items


def _who(
    local: LocalActivity,
    items: list[_Item],
    embedding: Float[np.ndarray, "item dimension"],
    settings: DiarizerSettings,
) -> tuple[Speakers, Int[np.ndarray, "window local"]]:
    """The speakers, and who of them each local speaker of each window is."""
    window = np.array([item.window for item in items], dtype=np.int64)
    speakers = find_speakers(
        embedding,
        window,
        np.array([item.solo_s for item in items], dtype=np.float32),
        speaker_bounds(settings),
        ClusterSettings(distance=settings.cluster_distance),
    )
    place = np.full((local.n_windows, local.posterior.shape[2]), NOBODY)
    if len(speakers.centroid):
        found = match_windows(embedding @ speakers.centroid.T, window)
        for item, speaker in zip(items, found, strict=True):
            place[item.window, item.local] = speaker
    return speakers, place


def _result(
    audio: Audio,
    recording: str,
    local: LocalActivity,
    speakers: Speakers,
    place: Int[np.ndarray, "window local"],
    settings: DiarizerSettings,
) -> Diarization:
    """Windows added up, turns taken from them, speakers named in the order they first speak."""
    stitched = overlap_add(local, place, len(speakers.centroid))
    if settings.vad != SEGMENTATION:
        heard = detect_speech(audio.samples, settings.vad)
        stitched = replace(stitched, speech=heard.on_grid(local.n_frames, HOP_S, START_S))
    active = active_speakers(stitched, settings.turns, settings.exclusive)
    order = [int(speaker) for speaker in np.argsort(active.argmax(axis=1), kind="stable")]
    order = [speaker for speaker in order if active[speaker].any()]
    names = tuple(f"SPEAKER_{number:02d}" for number in range(len(order)))
    activity = Activity(stitched.posterior[order], HOP_S, names, START_S)
    turns = to_turns(activity, active[order], settings.turns, audio.duration_s, recording)
    found = tuple(
        Speaker(name, turns.annotation.label_duration(name), speakers.centroid[speaker])
        for name, speaker in zip(names, order, strict=True)
    )
    return Diarization(
        recording=recording,
        duration_s=audio.duration_s,
        annotation=turns.annotation,
        posterior=activity,
        speakers=found,
        probability=turns.probability,
        notes=audio.notes,
        made_with={"diarize": __version__, "vad": settings.vad, "embedder": settings.embedder},
    )
