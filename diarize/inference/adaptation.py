"""Voices taken anew from where each speaker was found to talk, and the recording attributed again.

The search for speakers knows a voice by units that the segmentation took for one person's. Who was
found to talk when is a better judge of that: it tells pauses, overlap and others' words apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from diarize.features.speaker import SpeakerNetwork
from diarize.inference.attribute import Attributed, AttributorSettings, attribute_cast
from diarize.inference.hearing import Heard
from diarize.inference.scenes import Cast, cast_of
from diarize.inference.voices import frame_of_each
from diarize.models.msvae.speech.model import SpeechMSVAE

SURE, UNSURE = (
    0.7,
    0.3,
)  # the speaker's own posterior is above one, everybody else's below the other
ENOUGH_S = 0.5  # of such speech; with less, a voice stays as it was


def adapted(
    model: SpeechMSVAE,
    heard: Heard,
    found: Attributed,
    network: SpeakerNetwork,
    settings: AttributorSettings,
    progress: Callable[[float], None] | None = None,
) -> Attributed:
    """Who talks when, after `settings.passes` times taking the voices anew; as it was for none.

    `network` is the one that heard the recording. The number of speakers, and how probable each
    number is, stay.
    """
    for _ in range(settings.passes if len(found.cast) else 0):
        cast = voices_anew(heard, found, network)
        again = attribute_cast(model, heard, cast, settings, progress)
        found = replace(again, speaker_counts=found.speaker_counts)
    return found


def voices_anew(heard: Heard, found: Attributed, network: SpeakerNetwork) -> Cast:
    """The same cast, each voice from all frames in which surely he, and nobody else, talks."""
    profile, heard_s = found.cast.profile.copy(), found.cast.heard_s.copy()
    for speaker in range(len(profile)):
        frames = _alone(heard, found.presence, speaker)
        if len(frames) * heard.voice_hop_s < ENOUGH_S:
            continue
        told = torch.from_numpy(heard.voice[frames].T.astype(np.float32))
        statistic = network.summarise(told).double()[None]
        profile[speaker] = network.embed(statistic).numpy()[0]
        heard_s[speaker] = len(frames) * heard.voice_hop_s
    return cast_of(heard, profile, heard_s)


def _alone(
    heard: Heard, presence: Float[np.ndarray, "speaker frame"], speaker: int
) -> Int[np.ndarray, " some"]:
    """Frames of the speaker network in which one talks alone."""
    others = np.delete(presence, speaker, axis=0).max(axis=0, initial=0.0)
    is_alone = (presence[speaker] > SURE) & (others < UNSURE)
    index = frame_of_each(len(heard.voice), heard.voice_hop_s, heard.n_frames)
    return np.flatnonzero(is_alone[index])
