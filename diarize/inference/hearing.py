"""All that an attributor hears of a recording, kept small enough for hours of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16

from diarize.features.mel import FRAME_SAMPLES as MEL_SAMPLES
from diarize.features.mel import HOP_SAMPLES, N_MELS, kaldi_fbank
from diarize.features.segmentation import (
    FRAME_HOP_SAMPLES,
    HOP_S,
    RATE_HZ,
    START_S,
    LocalActivity,
    Segmentation,
    segment,
)
from diarize.features.speaker import SpeakerNetwork, all_frames
from diarize.inference.stitch import NOBODY, overlap_add
from diarize.inference.voices import GLIMPSE_SPEECH, Voices, frame_of_each, hear_voices

MEL_PIECE = 3000  # frames of the segmentation of which mel spectra are made at once, 50 s
AROUND_S = (0.5, 1.0, 1.5)
AROUND_HOP_S = 0.1
AROUND_PIECE = 300  # moments that are embedded at once, 30 s
LEAST_AROUND_S = 0.1  # of speech, for a voice to be heard
SPEECH = 0.5  # P(anyone talks) of the frames that tell a recording's level


@dataclass(frozen=True)
class Heard:
    """What the networks say of a recording, whoever the speakers may be.

    Frames are those of the segmentation, 16.875 ms, but for `voice` and `around`. What is large is
    in half precision: 87 KB a second of audio in all.

    Attributes:
        local: who talks in each window, with the last hidden layer.
        speech: P(anyone talks).    overlap: P(two talk).
        voice: features of the speaker network before pooling, a row every `voice_hop_s`.
        mel: natural log of the power in 80 mel bands.
        typical: its mean where somebody talks.
        around: the voice heard around a moment, at three sizes; zeros where hardly anybody talks.
            Moments are `AROUND_HOP_S` apart, the first `first_around_s` in.
        voices: units, local voices and glimpses, for the search for speakers.
    """

    local: LocalActivity
    speech: Float[np.ndarray, " frame"]
    overlap: Float[np.ndarray, " frame"]
    voice: Float16[np.ndarray, "voice_frame channel"]
    voice_hop_s: float
    mel: Float16[np.ndarray, "frame 80"]
    typical: Float[np.ndarray, " 80"]
    around: Float16[np.ndarray, "size moment dimension"]
    voices: Voices

    @property
    def n_frames(self) -> int:
        """Of the recording."""
        return self.local.n_frames

    @property
    def first_around_s(self) -> float:
        """When the first of `around` is."""
        return first_moment(self.voice_hop_s) * self.voice_hop_s


def hear(
    samples: Float[np.ndarray, " time"],
    segmentation: Segmentation,
    speaker: SpeakerNetwork,
    hop_frames: int = 148,
    progress: Callable[[str, float], None] | None = None,
    keep_context: bool = True,
) -> Heard:
    """Listen to audio at 16 kHz once with both networks; `progress` is told step and share.

    Without `keep_context` the segmentation's hidden layer is not kept; not all models ask for it.
    """
    tell = progress or (lambda step, share: None)
    local = segment(
        segmentation,
        samples,
        hop_frames,
        lambda share: tell("segmentation", share),
        keep_context,
    )
    return hear_more(samples, local, speaker, lambda share: tell("voices", share))


def hear_more(
    samples: Float[np.ndarray, " time"],
    local: LocalActivity,
    speaker: SpeakerNetwork,
    progress: Callable[[float], None] | None = None,
) -> Heard:
    """The same, where the segmentation has listened already."""
    nobody = np.full(local.posterior.shape[::2], NOBODY)
    added = overlap_add(local, nobody, 0)
    voice = all_frames(speaker, samples, progress)
    voices = hear_voices(speaker, samples, local, added.speech, features=voice, glimpses_s=())
    mel = mel_on_frames(samples, local.n_frames)
    loud = added.speech > SPEECH
    of_speech = mel[loud] if loud.sum() * HOP_S > 0.5 else mel
    return Heard(
        local=local,
        speech=added.speech,
        overlap=added.overlap,
        voice=voice,
        voice_hop_s=speaker.hop_samples / RATE_HZ,
        mel=mel,
        typical=of_speech.mean(axis=0, dtype=np.float64).astype(np.float32),
        around=voices_around(speaker, voice, added.speech),
        voices=voices,
    )


def voices_around(
    speaker: SpeakerNetwork,
    voice: Float16[np.ndarray, "voice_frame channel"],
    speech: Float[np.ndarray, " frame"],
) -> Float16[np.ndarray, "size moment dimension"]:
    """Embeddings of the speech within half of each of `AROUND_S` before and after each moment."""
    hop_s = speaker.hop_samples / RATE_HZ
    on = speech[frame_of_each(len(voice), hop_s, len(speech))] > GLIMPSE_SPEECH
    first_at = first_moment(hop_s)
    last_at = max(first_at, len(voice))  # there is always a moment
    moments = np.arange(first_at, last_at + 1, round(AROUND_HOP_S / hop_s))
    reach = round(max(AROUND_S) / 2 / hop_s) + 1
    found = np.zeros((len(AROUND_S), len(moments), speaker.dimension), dtype=np.float16)
    for first in range(0, len(moments), AROUND_PIECE):
        here = moments[first : first + AROUND_PIECE]
        start = max(0, int(here[0]) - reach)
        piece = slice(start, int(here[-1]) + reach)
        sums = _running_sums(voice[piece], on[piece])
        for size, size_s in enumerate(AROUND_S):
            half = round(size_s / 2 / hop_s)
            low = (here - half - start).clip(0, len(sums) - 1)
            high = (here + half - start).clip(0, len(sums) - 1)
            statistic = sums[high] - sums[low]
            enough = statistic[:, 0] * hop_s >= LEAST_AROUND_S
            if enough.any():
                embedding = speaker.embed(torch.from_numpy(statistic[enough])).numpy()
                found[size, first + np.flatnonzero(enough)] = embedding
    return found


def first_moment(hop_s: float) -> int:
    """How many frames of the speaker network lie before the first moment."""
    return round(AROUND_HOP_S / hop_s) // 2


def _running_sums(
    voice: Float16[np.ndarray, "voice_frame channel"], on: Bool[np.ndarray, " voice_frame"]
) -> Float[np.ndarray, "edge statistic"]:
    """How many frames are on before each edge between frames, their sum and that of squares."""
    kept = voice.astype(np.float64) * on[:, None]
    parts = np.concatenate([on[:, None].astype(np.float64), kept, kept**2], axis=1)
    sums = np.zeros((len(parts) + 1, parts.shape[1]))
    np.cumsum(parts, axis=0, out=sums[1:])
    return sums


def mel_on_frames(
    samples: Float[np.ndarray, " time"], n_frames: int
) -> Float16[np.ndarray, "frame 80"]:
    """Natural log of the power in 80 mel bands at the middle of each frame of the segmentation.

    Powers of the two nearest 10 ms frames are averaged by how near they are. Beyond either end of
    the recording there is silence.
    """
    lead = (MEL_SAMPLES - HOP_SAMPLES) // 2  # so that mel frame i has its middle at (i + 1/2) hops
    middle = (START_S * RATE_HZ + (np.arange(n_frames) + 0.5) * FRAME_HOP_SAMPLES) / HOP_SAMPLES
    place = np.maximum(middle - 0.5, 0.0)
    found = np.zeros((n_frames, N_MELS), dtype=np.float16)
    for first in range(0, n_frames, MEL_PIECE):
        here = place[first : first + MEL_PIECE]
        low, high = int(here[0]), int(here[-1]) + 2
        start, end = low * HOP_SAMPLES - lead, (high - 1) * HOP_SAMPLES - lead + MEL_SAMPLES
        piece = samples[max(0, start) : end]
        before = max(0, -start)
        padded = np.pad(piece, (before, end - start - before - len(piece)))
        power = kaldi_fbank(torch.from_numpy(padded)).exp().numpy()
        index = here.astype(np.int64) - low
        share = (here - here.astype(np.int64))[:, None].astype(np.float32)
        mixed = power[index] * (1 - share) + power[index + 1] * share
        found[first : first + MEL_PIECE] = np.log(mixed)
    return found
