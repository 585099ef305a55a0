"""The diarizer: a recording in, who spoke when out, with what it rests on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Bool, Float

from diarize import __version__
from diarize.audio.io import Audio, audio_from_array, read_audio
from diarize.errors import BadCall
from diarize.features.segmentation import HOP_S, START_S, LocalActivity, load_segmentation
from diarize.features.speaker import load_speaker_network
from diarize.features.store import FeatureStore
from diarize.features.vad import DETECTORS, detect_speech
from diarize.formats.text import one_word
from diarize.inference.adaptation import adapted
from diarize.inference.attribute import AttributorSettings, attribute, load_attributor
from diarize.inference.cluster import (
    ClusterSettings,
    SpeakerBounds,
    find_speakers,
    speaker_sets,
)
from diarize.inference.diarization import Diarization, Speaker
from diarize.inference.ears import Ears, Listening
from diarize.inference.stitch import (
    NOBODY,
    BlendSettings,
    Stitched,
    blend,
    match_windows,
    overlap_add,
    similarity_over_time,
)
from diarize.inference.turns import TurnSettings, active_speakers, talking, to_turns
from diarize.inference.voices import Voices
from diarize.models.contract import Activity
from diarize.models.msvae.speech.model import SpeechMSVAE

SEGMENTATION = "segmentation"
ATTRIBUTORS = ("auto", "msvae", "cluster")
ON = 0.5  # what another detector than the segmentation must exceed
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class DiarizerSettings:
    """All that decides a result besides the recording."""

    attributor: str = "auto"  # msvae where it can listen, which is through campplus; else cluster
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
    pause_s: float = AttributorSettings.pause_s
    talk_threshold: float = 0.38  # P(a speaker talks) from which msvae has him on
    window_share: float = AttributorSettings.window_weight
    passes: int = AttributorSettings.passes  # of voices taken anew
    segmentation_weights: Path | None = None
    embedder_weights: Path | None = None
    attributor_weights: Path | None = None

    def __post_init__(self) -> None:
        if self.vad != SEGMENTATION and self.vad not in DETECTORS:
            names = ", ".join([SEGMENTATION, *DETECTORS])
            raise BadCall(f"no voice activity detector {self.vad!r}; there are {names}")
        if self.attributor not in ATTRIBUTORS:
            names = ", ".join(ATTRIBUTORS)
            raise BadCall(f"no attributor {self.attributor!r}; there are {names}")
        if self.attributor == "msvae" and self.embedder != "campplus":
            raise BadCall(
                f"attributor msvae listens through campplus, not {self.embedder}; "
                f"--attributor cluster goes with --embedder {self.embedder}"
            )
        if self.hop_frames < 1:
            raise BadCall(f"hop_frames is {self.hop_frames}; it must be at least 1")
        speaker_bounds(self)
        _ = self.attribution  # is it sound?

    @property
    def attributor_used(self) -> str:
        """Which attributor `auto` comes to here, or the one that was asked for."""
        if self.attributor != "auto":
            return self.attributor
        return "msvae" if self.embedder == "campplus" else "cluster"

    @property
    def clustering(self) -> ClusterSettings:
        """The settings of `inference.cluster`."""
        return ClusterSettings(
            unit_distance=self.unit_distance, group_similarity=self.group_similarity
        )

    @property
    def attribution(self) -> AttributorSettings:
        """The settings of `inference.attribute`."""
        return AttributorSettings(
            pause_s=self.pause_s, window_weight=self.window_share, passes=self.passes
        )

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

    With a `store`, or the folder of one, the networks listen only to what none of its users heard
    before; the result is the same to the bit.

    >>> Diarizer(DiarizerSettings(min_speakers=3, max_speakers=2))
    Traceback (most recent call last):
    diarize.errors.BadCall: --min-speakers 3 is more than --max-speakers 2
    """

    def __init__(
        self,
        settings: DiarizerSettings | None = None,
        device: str = "cpu",
        store: FeatureStore | Path | str | None = None,
    ) -> None:
        self.settings = settings or DiarizerSettings()
        self._segmentation = load_segmentation(self.settings.segmentation_weights).to(device)
        self._voices = load_speaker_network(
            self.settings.embedder, self.settings.embedder_weights, device
        )
        self._attributor: SpeechMSVAE | None = None
        if self.settings.attributor_used == "msvae":
            self._attributor = load_attributor(self.settings.attributor_weights, device)
        if isinstance(store, Path | str):
            store = FeatureStore(store)
        self._ears = Ears(self._segmentation, self._voices, store)

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
        listening = self._ears.listen(audio.samples, progress, name)
        find = self._by_streams if self._attributor else self._by_windows
        found = find(audio, settings, listening)
        audio = replace(audio, notes=(*audio.notes, *listening.notes))
        return _result(audio, name, found, settings)

    def _by_streams(self, audio: Audio, settings: DiarizerSettings, listening: Listening) -> _Found:
        """By the speech MS-VAE, which tries several sets of voices."""
        assert self._attributor is not None  # or this would not be asked
        keep_context = self._attributor.settings.n_hidden > 0
        heard = listening.heard(settings.hop_frames, keep_context)
        bounds = speaker_bounds(settings)
        sets_by = functools.partial(
            speaker_sets, heard.voices.units, self._embed, least=bounds.least
        )
        how = settings.attribution
        tell = functools.partial(listening.tell, "attribution")
        model = self._attributor
        found = attribute(
            model,
            heard,
            sets_by(settings=settings.clustering),
            how,
            bounds,
            lambda share: tell(0.8 * share),
            finer=lambda: sets_by(settings=settings.clustering.finer),
        )
        attributed = adapted(
            model, heard, found, self._voices, how, lambda share: tell(0.8 + 0.2 * share)
        )
        tell(1.0)
        presence = attributed.presence
        if settings.vad != SEGMENTATION:
            presence = presence * (_speech(audio, heard.local, settings) > ON)
        active = talking(presence, settings.talk_threshold, settings.exclusive, bounds.least)
        voice, counts = attributed.cast.profile, attributed.speaker_counts
        return _Found(presence, active, voice, counts)

    def _by_windows(self, audio: Audio, settings: DiarizerSettings, listening: Listening) -> _Found:
        """By the segmentation's windows, each local speaker given the name he sounds like."""
        local = listening.windows(settings.hop_frames)
        speech = _speech(audio, local, settings)
        voices = listening.voices(local, speech)
        speakers = self._speakers(voices, settings)
        stitched = _stitch(local, voices, speakers, settings)
        if settings.vad != SEGMENTATION:
            stitched = replace(stitched, speech=speech)
        active = active_speakers(stitched, settings.turns, settings.exclusive)
        return _Found(stitched.posterior, active, speakers, {})

    def _embed(
        self, statistics: Float[np.ndarray, "voice statistic"]
    ) -> Float[np.ndarray, "voice dimension"]:
        return self._voices.embed(torch.from_numpy(statistics)).numpy()

    def _speakers(
        self, voices: Voices, settings: DiarizerSettings
    ) -> Float[np.ndarray, "speaker dimension"]:
        """One voice a speaker."""
        return find_speakers(
            voices.units,
            self._embed,
            speaker_bounds(settings),
            settings.clustering,
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


@dataclass(frozen=True)
class _Found:
    """What an attributor found: each speaker's posterior, where he is on, and his voice."""

    posterior: Float[np.ndarray, "speaker frame"]
    active: Bool[np.ndarray, "speaker frame"]
    voice: Float[np.ndarray, "speaker dimension"]
    speaker_counts: Mapping[int, float]


def _result(audio: Audio, recording: str, found: _Found, settings: DiarizerSettings) -> Diarization:
    """Turns out of probabilities, speakers named in the order in which they first speak."""
    active = found.active
    order = [int(speaker) for speaker in np.argsort(active.argmax(axis=1), kind="stable")]
    order = [speaker for speaker in order if active[speaker].any()]
    names = tuple(f"SPEAKER_{number:02d}" for number in range(len(order)))
    activity = Activity(found.posterior[order], HOP_S, names, START_S)
    turns = to_turns(
        activity, active[order], settings.turns, audio.duration_s, recording, settings.exclusive
    )
    speakers = tuple(
        Speaker(name, float(turns.annotation.label_duration(name)), found.voice[speaker])
        for name, speaker in zip(names, order, strict=True)
    )
    return Diarization(
        recording=recording,
        duration_s=audio.duration_s,
        annotation=turns.annotation,
        posterior=activity,
        speakers=speakers,
        probability=turns.probability,
        notes=audio.notes,
        speaker_counts=found.speaker_counts,
        made_with={
            "diarize": __version__,
            "attributor": settings.attributor_used,
            "vad": settings.vad,
            "embedder": settings.embedder,
        },
    )
