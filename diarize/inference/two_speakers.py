"""Which of two known speakers talks when: chunks attributed by a model trained on these two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from pyannote.core import Annotation

from diarize.audio.frames import FrameGrid
from diarize.audio.io import RATE_HZ, audio_from_array
from diarize.config import at_least, at_most, build
from diarize.corpora.chance import generator_of, torch_generator
from diarize.corpora.chunk_supply import levelled, silent_values, talk_in_chunks
from diarize.corpora.two_channel import TwoChannel
from diarize.corpora.two_speaker_settings import TwoSpeakerSettings
from diarize.errors import BadCall, BadFile
from diarize.features.chunks import ChunkedSound, chunk_values
from diarize.inference.persistence import persistent
from diarize.inference.speech import DetectorName, speech_detector
from diarize.inference.turns import TurnSettings, to_turns
from diarize.models.contract import Activity, MixtureModel

FRAME_S = 0.01  # of the clean protocol
Protocol = Literal["authors", "clean"]
PROTOCOLS: tuple[Protocol, ...] = ("authors", "clean")


@dataclass(frozen=True)
class TwoSpeakerInferSettings:
    """The [infer] table of a conf of two speakers.

    Attributes:
        part: "test", or "dev" to choose settings on.
        threshold: a speaker is on where the probability exceeds it: the paper's .99.
        clean_threshold: the same in the clean protocol; 0 takes `threshold`.
        n_samples: draws of the latents; 0 takes them at their mean.
        mean_s: how long a speaker goes on, for the Markov prior; 0 has none, as the paper.
        evidence: power that each chunk's evidence is taken to under that prior.
        share: of the time with speech in which each speaker is taken to talk, under that prior;
            0 takes what the model has learned of the mixtures.
        vad: what tells speech in the clean protocol: segmentation, silero or webrtc; "none" leaves
            that to the model.
        vad_threshold: a frame is speech where its probability exceeds it.
        someone: where there is speech, one of the two talks, the likelier if neither is on.
        shortest_gap_s, shortest_turn_s: of the clean protocol's turns, as `diarize infer` has them.
        batch: chunks at once.
        seed: of the draws, and of noise in place of silence.
        threads: of torch; 0 leaves them as they are.
    """

    part: Literal["test", "dev"] = "test"
    threshold: float = 0.99
    clean_threshold: float = 0.0
    n_samples: int = 0
    mean_s: float = 0.0
    evidence: float = 1.0
    share: float = 0.5
    vad: DetectorName = "segmentation"
    vad_threshold: float = 0.5
    someone: bool = False
    shortest_gap_s: float = 0.0
    shortest_turn_s: float = 0.0
    batch: int = 256
    seed: int = 1
    threads: int = 0

    def __post_init__(self) -> None:
        at_most(self, threshold=1, clean_threshold=1, vad_threshold=1, share=1)
        at_least(self, n_samples=0, mean_s=0, evidence=0, shortest_gap_s=0, shortest_turn_s=0)
        if self.batch < 1:
            raise BadCall(f"batch = {self.batch}; expected 1 or more")


@dataclass(frozen=True)
class Heard:
    """One recording under one protocol: when each speaker is on, and how probable that is."""

    annotation: Annotation
    activity: Activity
    duration_s: float
    probability: Mapping[Any, float]


class KnownSpeakers:
    """A trained model, and how it listens to recordings of the two it knows."""

    def __init__(
        self, model: object, card: Mapping[str, Any], settings: TwoSpeakerInferSettings
    ) -> None:
        """`card` is what stands beside the weights; it says how chunks are made.

        Raises:
            BadFile: the weights are not of two speakers.
        """
        data = card.get("data", {})
        if data.get("corpus") != "two_speakers" or not isinstance(model, MixtureModel):
            raise BadFile("these weights are not of two known speakers; train them on two_speakers")
        self.model, self.settings = model, settings
        self.data = build(TwoSpeakerSettings, data["settings"], "the card of the weights [data]")
        self._detect = speech_detector(settings.vad)

    def hear(self, recording: TwoChannel, protocol: Protocol) -> Heard:
        """Who talks when in the sum of both channels.

        "authors" is told where nobody talks, as the paper is: chunks with nobody at their middle
        are noise to the model (or, to one that was trained without, silent), and turns are all
        frames over the threshold. "clean" is told nothing.
        """
        presence = self._presence(recording, protocol)
        if protocol == "authors":
            grid = FrameGrid(recording.duration_s / presence.shape[1], presence.shape[1])
            active = presence > self.settings.threshold
            turns = TurnSettings(shortest_gap_s=0.0, shortest_turn_s=0.0)
        else:
            grid = FrameGrid.over(recording.duration_s, FRAME_S)
            presence = _on_grid(presence, recording.duration_s, grid)
            presence, active = self._with_speech(presence, recording, grid)
            turns = TurnSettings(
                shortest_gap_s=self.settings.shortest_gap_s,
                shortest_turn_s=self.settings.shortest_turn_s,
            )
        activity = Activity(presence, grid.hop_s, self.data.speakers)
        made = to_turns(activity, active, turns, recording.duration_s, recording.recording)
        return Heard(made.annotation, activity, recording.duration_s, made.probability)

    def _presence(
        self, recording: TwoChannel, protocol: Protocol
    ) -> Float[np.ndarray, "speaker frame"]:
        """Each frame's mean over the chunks that cover it, frame by frame of the spectrum."""
        settings, chunks = self.settings, self.data.chunks
        known = talk_in_chunks(recording, chunks)
        silent = np.asarray(~known.middle.any(axis=0) & (protocol == "authors"))
        presence = self._chunk_presence(recording, silent)
        if settings.mean_s:
            share = np.full(2, settings.share) if settings.share else self._learned_share()
            hop_s = chunks.hop * chunks.hop_frames / recording.rate_hz
            presence = persistent(presence, share, settings.mean_s, hop_s, settings.evidence)
        if protocol == "authors" and settings.someone:
            presence = given_someone(presence)
        presence[:, silent & (self.data.silence != "oracle" or bool(settings.mean_s))] = 0
        n_frames = recording.channels.shape[1] // chunks.hop + 1
        return overlap_added(presence, chunks.n_frames, chunks.hop_frames, n_frames)

    @torch.no_grad()
    def _chunk_presence(
        self, recording: TwoChannel, silent: Bool[np.ndarray, " chunk"]
    ) -> Float[np.ndarray, "speaker chunk"]:
        settings, chunks = self.settings, self.data.chunks
        mixture = torch.from_numpy(levelled(recording.mixture, recording.rate_hz))
        sound = ChunkedSound(mixture, chunks)
        found = []
        assert isinstance(self.model, MixtureModel)
        for first in range(0, sound.n_chunks, settings.batch):
            here = slice(first, min(first + settings.batch, sound.n_chunks))
            spectra = sound.spectra(torch.arange(here.start, here.stop))
            values = chunk_values(spectra, recording.rate_hz, chunks)
            chance = generator_of(settings.seed, recording.recording, first)
            quiet = torch.from_numpy(silent[here])
            if self.data.silence == "oracle" and bool(quiet.any()):
                values[quiet] = silent_values(int(quiet.sum()), values.shape[1], chance)
            generator = torch_generator(chance) if settings.n_samples else None
            told = self.model.attribute(values, n_samples=settings.n_samples, generator=generator)
            assert told.presence is not None
            found.append(told.presence.T.double().numpy())
        return np.concatenate(found, axis=1)

    def _learned_share(self) -> Float[np.ndarray, " speaker"]:
        presence = getattr(self.model, "presence", None)
        if presence is None:
            raise BadCall("share = 0, and this model has learned none; expected share above 0")
        return np.asarray(presence.double().numpy())

    def _with_speech(
        self,
        presence: Float[np.ndarray, "speaker frame"],
        recording: TwoChannel,
        grid: FrameGrid,
    ) -> tuple[Float[np.ndarray, "speaker frame"], Bool[np.ndarray, "speaker frame"]]:
        """Presence where there is speech, and who is on there."""
        settings = self.settings
        threshold = settings.clean_threshold or settings.threshold
        if self._detect is None:
            return presence, presence > threshold
        audio = audio_from_array(recording.mixture, recording.rate_hz, RATE_HZ)
        speech = self._detect(audio.samples).on_grid(grid.n_frames, grid.hop_s, grid.start_s)
        there = speech > settings.vad_threshold
        if settings.someone:
            presence = given_someone(presence)
        active = presence > threshold
        if settings.someone:
            nobody = ~active.any(axis=0)
            active[presence.argmax(axis=0)[nobody], np.flatnonzero(nobody)] = True
        return presence * speech, active & there


def given_someone(
    presence: Float[np.ndarray, "speaker frame"],
) -> Float[np.ndarray, "speaker frame"]:
    """The probability of each speaker to talk where one of them is known to.

    Those who talk are taken to be independent, given what was heard.

    >>> given_someone(np.array([[0.5], [0.5]])).round(2).ravel().tolist()
    [0.67, 0.67]
    """
    own = np.clip(presence, 1e-6, 1.0)
    someone = 1 - np.prod(1 - own, axis=0)
    return np.asarray(own / someone)


def overlap_added(
    presence: Float[np.ndarray, "speaker chunk"], n_own: int, hop: int, n_frames: int
) -> Float[np.ndarray, "speaker frame"]:
    """The mean of the chunks that cover each frame; chunk k covers `n_own` frames from k * `hop`.

    Source: arXiv 2510.15669's code, evaluation of diarization.

    >>> overlap_added(np.array([[1.0, 0.0]]), 3, 2, 5)
    array([[1. , 1. , 0.5, 0. , 0. ]])
    """
    total = np.zeros((len(presence), max(n_frames, (presence.shape[1] - 1) * hop + n_own)))
    count = np.zeros(total.shape[1])
    for chunk in range(presence.shape[1]):
        here = slice(chunk * hop, chunk * hop + n_own)
        total[:, here] += presence[:, chunk, None]
        count[here] += 1
    return (total / np.maximum(count, 1))[:, :n_frames]


def _on_grid(
    presence: Float[np.ndarray, "speaker own_frame"], duration_s: float, grid: FrameGrid
) -> Float[np.ndarray, "speaker frame"]:
    """The same between the middles of its frames, straight, at the middles of those of `grid`."""
    n_frames = presence.shape[1]
    middle_s = (np.arange(n_frames) + 0.5) * duration_s / n_frames
    wanted_s = grid.start_s + (np.arange(grid.n_frames) + 0.5) * grid.hop_s
    return np.stack([np.interp(wanted_s, middle_s, one) for one in presence])
