"""Recordings that were never heard: what the two networks would say of people talking in turn."""

import numpy as np
import torch

from diarize.features.segmentation import HOP_S, START_S, LocalActivity
from diarize.inference.cluster import Units
from diarize.inference.hearing import Heard, voices_around
from diarize.inference.voices import Voices
from diarize.models.msvae.speech.config import SpeechSettings

N_DIMENSIONS = 6
VOICE_HOP_S = 0.02
UNIT_S = 2.0
TINY = SpeechSettings(
    trunk_width=8,
    speaker_width=6,
    profile_width=4,
    memory=4,
    n_latents=2,
    n_background=2,
    decoder_width=8,
)


class Pure:
    """A speaker network: the embedding is the direction of the sum of the features.

    A statistic is the number of frames, their sum and that of their squares.
    """

    dimension = N_DIMENSIONS
    statistic = 1 + 2 * N_DIMENSIONS
    hop_samples = 320
    reach_samples = 80

    def frames(self, samples):
        """Every 20 ms a one in the channel that the sample's value names; below 0, in none."""
        numbers = samples[: len(samples) - self.reach_samples : self.hop_samples].long()
        eye = torch.cat([torch.eye(N_DIMENSIONS), torch.zeros(1, N_DIMENSIONS)])
        return eye[numbers.clamp_min(-1)].T

    def summarise(self, frames):
        count = torch.tensor([float(frames.shape[1])])
        return torch.cat([count, frames.sum(dim=1), frames.square().sum(dim=1)])

    def embed(self, statistics):
        total = statistics[:, 1 : 1 + N_DIMENSIONS].float()
        return torch.nn.functional.normalize(total, dim=1)


def middles_s(n_frames):
    """Of the frames of the segmentation."""
    return START_S + (np.arange(n_frames) + 0.5) * HOP_S


def on_frames(spans, at_s):
    """Where one of the spans (s) holds."""
    on = np.zeros(len(at_s), bool)
    for start_s, end_s in spans:
        on |= (at_s >= start_s) & (at_s < end_s)
    return on


def talk_of(spans, n_frames):
    """Who talks on the frames of the segmentation, given the spans of each."""
    return np.array([on_frames(one, middles_s(n_frames)) for one in spans])


def made_heard(spans, n_frames, voices=None, seed=0):
    """What is heard of up to three people who talk in these spans (s), each one's pure voice.

    One window holds all of the recording, each of them in his own place. Features that do not
    tell voices are drawn by `seed`.
    """
    chance = np.random.default_rng(seed)
    voices = np.eye(N_DIMENSIONS)[: len(spans)] if voices is None else np.asarray(voices)
    talks = talk_of(spans, n_frames)
    voice_s = (np.arange(int(n_frames * HOP_S / VOICE_HOP_S)) + 0.5) * VOICE_HOP_S
    heard_talk = np.array([on_frames(one, voice_s) for one in spans])
    voice = (heard_talk.T @ voices).astype(np.float16)
    posterior = np.zeros((1, n_frames, 3), np.float32)
    posterior[0, :, : len(spans)] = talks.T
    speech = talks.any(axis=0).astype(np.float32)
    overlap = (talks.sum(axis=0) > 1).astype(np.float32)
    context = chance.normal(size=(n_frames, 128)).astype(np.float16)
    mel = chance.normal(-6, 1, (n_frames, 80)).astype(np.float16)
    return Heard(
        local=LocalActivity(
            posterior, speech[None], overlap[None], np.zeros(1, np.int64), n_frames, context
        ),
        speech=speech,
        overlap=overlap,
        voice=voice,
        voice_hop_s=VOICE_HOP_S,
        mel=mel,
        typical=mel.mean(axis=0, dtype=np.float64).astype(np.float32),
        around=voices_around(Pure(), voice, speech),
        voices=_voices(voices.astype(np.float32), heard_talk, voice),
    )


def _voices(voices, heard_talk, voice):
    """A unit for every two seconds that one of them says."""
    statistics, place = [], []
    for row, talks in enumerate(heard_talk):
        frames = np.flatnonzero(talks)
        for part in np.array_split(frames, max(1, round(len(frames) * VOICE_HOP_S / UNIT_S))):
            values = voice[part].astype(np.float64)
            statistics.append([len(part), *values.sum(axis=0), *(values**2).sum(axis=0)])
            place.append(row)
    statistic = np.array(statistics)
    return Voices(
        units=Units(
            statistic,
            statistic[:, 0] * VOICE_HOP_S,
            np.zeros(len(place), np.int64),
            np.array(place),
        ),
        local=voices,
        local_window=np.zeros(len(voices), np.int64),
        local_place=np.arange(len(voices)),
        glimpse=(),
        glimpse_s=(),
    )
