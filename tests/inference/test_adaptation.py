"""Voices taken anew from who was found to talk."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_heard import N_DIMENSIONS, TINY, VOICE_HOP_S, Pure, made_heard, talk_of

from diarize.errors import BadCall
from diarize.inference.adaptation import adapted, voices_anew
from diarize.inference.attribute import Attributed, AttributorSettings
from diarize.inference.scenes import cast_of
from diarize.models.msvae.speech.model import SpeechMSVAE, speaker_patterns

EYE = np.eye(N_DIMENSIONS, dtype=np.float32)
SPANS = [[(1.0, 9.0), (20.0, 24.0)], [(8.0, 14.0)]]  # together from 8 to 9 s
N_FRAMES = 1778  # 30 s


class ByLikeness(SpeechMSVAE):
    """Who is as like a frame's voice as cosine 0.9 talks in it."""

    def __init__(self):
        super().__init__(TINY)
        self.asked = []

    def weigh(self, scenes, generator=None):
        self.asked.append(scenes.profile.numpy()[0])
        cosine = scenes.inputs.float() @ scenes.profile.transpose(1, 2)
        talks = torch.where(cosine > 0.9, 0.999, 0.001)[:, :, None]
        patterns = speaker_patterns(scenes.profile.shape[1], self.settings.most_together)
        weight = (patterns * talks.log() + (1 - patterns) * (1 - talks).log()).sum(3)
        return SimpleNamespace(log_probability=weight.log_softmax(2), patterns=patterns)


@pytest.fixture
def heard():
    return made_heard(SPANS, N_FRAMES)


def found_with(heard, profile, presence):
    cast = cast_of(heard, np.asarray(profile, np.float32), np.array([2.0, 2.0]))
    return Attributed(cast, np.asarray(presence, np.float32), {2: 0.75, 3: 0.25})


def settings(passes):
    return AttributorSettings(window_weight=0.0, least_speech=0.0, block_s=1000.0, passes=passes)


def blurred():
    """The first voice with some of the second in it, and the second as it is."""
    mixed = EYE[0] + 0.7 * EYE[1]
    return np.stack([mixed / np.linalg.norm(mixed), EYE[1]])


def test_a_voice_is_that_of_the_frames_in_which_its_speaker_talks_alone(heard):
    truth = talk_of(SPANS, N_FRAMES)
    cast = voices_anew(heard, found_with(heard, blurred(), truth), Pure())
    assert cast.profile == pytest.approx(EYE[:2], abs=1e-3)
    assert cast.heard_s == pytest.approx([11.0, 5.0], abs=2 * VOICE_HOP_S)


def test_who_hardly_talks_alone_keeps_his_voice(heard):
    presence = talk_of(SPANS, N_FRAMES) * np.array([[0.6], [1.0]])  # never sure of the first
    found = found_with(heard, blurred(), presence)
    cast = voices_anew(heard, found, Pure())
    assert (cast.profile[0] == found.cast.profile[0]).all()
    assert cast.heard_s[0] == 2.0


def test_with_the_voices_taken_anew_all_is_asked_again_and_the_count_stays(heard):
    model, truth = ByLikeness(), talk_of(SPANS, N_FRAMES)
    found = found_with(heard, blurred(), truth)
    again = adapted(model, heard, found, Pure(), settings(1))
    assert len(model.asked) == 1
    alone = truth.sum(axis=0) == 1
    assert ((again.presence > 0.5) == truth)[:, alone].mean() > 0.99
    assert again.speaker_counts == {2: 0.75, 3: 0.25}
    assert adapted(model, heard, found, Pure(), settings(2)).cast.profile == pytest.approx(
        again.cast.profile, abs=1e-3
    )
    assert len(model.asked) == 3


def test_without_passes_or_people_nothing_is_asked(heard):
    model, found = ByLikeness(), found_with(heard, blurred(), talk_of(SPANS, N_FRAMES))
    assert adapted(model, heard, found, Pure(), settings(0)) is found
    nobody = Attributed(
        cast_of(heard, np.zeros((0, N_DIMENSIONS), np.float32), np.zeros(0)),
        np.zeros((0, N_FRAMES), np.float32),
        {0: 1.0},
    )
    assert adapted(model, heard, nobody, Pure(), settings(3)) is nobody
    assert not model.asked


def test_a_number_of_passes_below_nothing_is_refused():
    with pytest.raises(BadCall, match="passes = -1"):
        settings(-1)
