"""The diarizer: a recording in, who spoke when out, with what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from pyannote.core import Annotation, Segment, Timeline

from diarize import __version__
from diarize.audio.io import Audio, audio_from_array, read_audio
from diarize.errors import BadCall
from diarize.features.segmentation import (
    HOP_S,
    START_S,
    LocalActivity,
    load_segmentation,
    segment,
)
from diarize.features.speaker import load_speaker_network
from diarize.features.vad import DETECTORS, detect_speech
from diarize.formats.exports import Export, csv_text, json_text
from diarize.formats.rttm import rttm_text
from diarize.formats.text import one_word
from diarize.inference.cluster import ClusterSettings, SpeakerBounds, find_speakers
from diarize.inference.stitch import (
    NOBODY,
    BlendSettings,
    Stitched,
    blend,
    match_windows,
    overlap_add,
    similarity_over_time,
)
from diarize.inference.turns import TurnSettings, active_speakers, to_turns
from diarize.inference.voices import Voices, hear_voices
from diarize.models.contract import Activity

SEGMENTATION = "segmentation"
ON = 0.5  # what another detector than the segmentation must exceed
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
    unit_distance: float = ClusterSettings.unit_distance
    group_similarity: float = ClusterSettings.group_similarity
    window_weight: float = BlendSettings.window_weight
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
        """Turns with their probabilities, speakers, and (unless told not to) frame posteriors."""
        return json_text(self._export(with_posterior))

    def to_csv(self) -> str:
        """The turns as a table with a header."""
        return csv_text(self._export(with_posterior=False))

    def within(self, regions: Timeline) -> Diarization:
        """The same, with only what lies in `regions`, as of a UEM file."""
        annotation = Annotation(uri=self.recording)
        probability: dict[tuple[Segment, Hashable], float] = {}
        for turn, track, label in self.annotation.itertracks(yield_label=True):
            for region in regions.support():
                part = turn & region
                if part:
                    annotation[part, label] = label
                    probability[part, label] = self.probability[turn, track]
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

    def _repr_html_(self) -> str:
        from diarize.viz.notebook import card

        return card(self.annotation, self.recording, self.duration_s, self._repr_png_())


def speaker_bounds(settings: DiarizerSettings) -> SpeakerBounds:
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
        if (least is not None and least > exactly) or (most is not None and most < exactly):
            raise BadCall(f"--num-speakers {exactly} lies outside the given least and greatest")
        return SpeakerBounds(exactly, exactly)
    if least is not None and most is not None and least > most:
        raise BadCall(f"--min-speakers {least} is more than --max-speakers {most}")
    least = least or SpeakerBounds.least
    return SpeakerBounds(least, most or max(SpeakerBounds.most, least))


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
        speech = _speech(audio, local, settings)
        voices = hear_voices(
            self._voices, audio.samples, local, speech, lambda share: tell("voices", share)
        )
        speakers = self._speakers(voices, settings)
        stitched = _stitch(local, voices, speakers, settings)
        if settings.vad != SEGMENTATION:
            stitched = replace(stitched, speech=speech)
        return _result(audio, name, stitched, speakers, settings)

    def _speakers(
        self, voices: Voices, settings: DiarizerSettings
    ) -> Float[np.ndarray, "speaker dimension"]:
        """One voice a speaker."""

        def embed(
            statistics: Float[np.ndarray, "voice statistic"],
        ) -> Float[np.ndarray, "voice dimension"]:
            return self._voices.embed(torch.from_numpy(statistics)).numpy()

        return find_speakers(
            voices.units,
            embed,
            speaker_bounds(settings),
            ClusterSettings(
                unit_distance=settings.unit_distance, group_similarity=settings.group_similarity
            ),
        )


def _audio(source: str | Path | BinaryIO | Audio | Any, rate_hz: int | None) -> Audio:
    if isinstance(source, Audio):
        return source
    if isinstance(source, str | Path) or hasattr(source, "read"):
        return read_audio(source)  # type: ignore[arg-type]
    if rate_hz is None:
        raise BadCall("an array of samples needs its rate: rate_hz=16000, say")
    return audio_from_array(source, rate_hz)


def _speech(
    audio: Audio, local: LocalActivity, settings: DiarizerSettings
) -> Float[np.ndarray, " frame"]:
    """Probability that anyone talks, by the detector that was asked for."""
    if settings.vad != SEGMENTATION:
        heard = detect_speech(audio.samples, settings.vad)
        return heard.on_grid(local.n_frames, HOP_S, START_S)
    nobody = np.full(local.posterior.shape[::2], NOBODY)
    return overlap_add(local, nobody, 0).speech


def _stitch(
    local: LocalActivity,
    voices: Voices,
    speakers: Float[np.ndarray, "speaker dimension"],
    settings: DiarizerSettings,
) -> Stitched:
    """Everybody's activity in the whole recording."""
    place = np.full(local.posterior.shape[::2], NOBODY)
    if len(speakers) and len(voices.local):
        found = match_windows(voices.local @ speakers.T, voices.local_window)
        place[voices.local_window, voices.local_place] = found
    stitched = overlap_add(local, place, len(speakers))
    similarity = similarity_over_time(
        voices.glimpse, voices.glimpse_s, speakers, stitched.posterior.shape[1]
    )
    return blend(stitched, similarity, BlendSettings(window_weight=settings.window_weight))


def _result(
    audio: Audio,
    recording: str,
    stitched: Stitched,
    speakers: Float[np.ndarray, "speaker dimension"],
    settings: DiarizerSettings,
) -> Diarization:
    """Turns out of probabilities, speakers named in the order in which they first speak."""
    active = active_speakers(stitched, settings.turns, settings.exclusive)
    order = [int(speaker) for speaker in np.argsort(active.argmax(axis=1), kind="stable")]
    order = [speaker for speaker in order if active[speaker].any()]
    names = tuple(f"SPEAKER_{number:02d}" for number in range(len(order)))
    activity = Activity(stitched.posterior[order], HOP_S, names, START_S)
    turns = to_turns(
        activity, active[order], settings.turns, audio.duration_s, recording, settings.exclusive
    )
    found = tuple(
        Speaker(name, float(turns.annotation.label_duration(name)), speakers[speaker])
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
