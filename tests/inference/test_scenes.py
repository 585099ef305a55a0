"""Scenes out of what was heard: who may talk there, frame by frame, and several as one batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_heard import N_DIMENSIONS, VOICE_HOP_S, made_heard, middles_s, talk_of

from diarize.features.segmentation import HOP_S, START_S, LocalActivity
from diarize.inference.hearing import AROUND_HOP_S
from diarize.inference.scenes import Cast, cast_of, scene, similarity_around, together

SPANS = [[(0.5, 3.0), (5.0, 6.0)], [(2.5, 4.5)]]
N_FRAMES = 401
EYE = np.eye(N_DIMENSIONS, dtype=np.float32)


@pytest.fixture(scope="module")
def heard():
    return made_heard(SPANS, N_FRAMES)


@pytest.fixture(scope="module")
def cast(heard):
    return cast_of(heard, EYE[:2], np.array([3.5, 2.0]))


def test_a_cast_has_what_the_windows_say_of_each(heard, cast):
    assert len(cast) == 2
    np.testing.assert_allclose(cast.local, talk_of(SPANS, N_FRAMES), atol=1e-6)
    assert cast.profile.dtype == cast.heard_s.dtype == np.float32


def test_who_is_like_nobody_of_a_window_gets_what_nobody_else_takes(heard):
    # three voices for two local speakers: the third is not there
    cast = cast_of(heard, EYE[[3, 1, 0]], np.ones(3))
    truth = talk_of(SPANS, N_FRAMES)
    np.testing.assert_allclose(cast.local, [np.zeros(N_FRAMES), truth[1], truth[0]], atol=1e-6)


def test_in_each_window_the_names_are_given_anew():
    heard = made_heard(SPANS, N_FRAMES)
    posterior = np.zeros((2, 250, 3), np.float32)
    posterior[0, :, 0], posterior[1, :, 2] = 1, 1
    whole = np.zeros((2, 250), np.float32)
    local = LocalActivity(posterior, whole, whole, np.array([0, 151]), N_FRAMES)
    voices = replace(
        heard.voices,
        local=EYE[[1, 1]],
        local_window=np.array([0, 1]),
        local_place=np.array([0, 2]),
    )
    cast = cast_of(replace(heard, local=local, voices=voices), EYE[:2], np.ones(2))
    np.testing.assert_allclose(cast.local, [[0.0] * N_FRAMES, [1.0] * N_FRAMES], atol=1e-6)


def test_no_voices_are_a_cast_of_nobody(heard):
    cast = cast_of(heard, np.zeros((0, N_DIMENSIONS), np.float32), np.zeros(0))
    assert len(cast) == 0
    assert cast.local.shape == (0, N_FRAMES)


def test_a_cast_where_no_window_has_a_speaker_is_silent(heard):
    voices = replace(
        heard.voices,
        local=np.zeros((0, N_DIMENSIONS), np.float32),
        local_window=np.zeros(0, np.int64),
        local_place=np.zeros(0, np.int64),
    )
    cast = cast_of(replace(heard, voices=voices), EYE[:2], np.ones(2))
    assert not cast.local.any()


@pytest.mark.parametrize("chosen", [np.array([1]), np.array([False, True])])
def test_some_of_a_cast_are_as_they_were(cast, chosen):
    only = cast.only(chosen)
    np.testing.assert_array_equal(only.profile, EYE[[1]])
    assert only.heard_s.tolist() == [2.0]
    np.testing.assert_array_equal(only.local, cast.local[[1]])


def test_a_scene_holds_its_frames_and_no_others(heard, cast):
    made = scene(heard, cast, 100, 200, 0.5)
    assert len(made) == 1
    np.testing.assert_array_equal(made.mel[0], heard.mel[100:200].astype(np.float32))
    np.testing.assert_array_equal(made.context[0], heard.local.context[100:200].astype(np.float32))
    np.testing.assert_array_equal(made.local[0].T, cast.local[:, 100:200])
    np.testing.assert_array_equal(made.activity[0, :, 0], heard.speech[100:200])
    np.testing.assert_array_equal(made.activity[0, :, 1], heard.overlap[100:200])
    np.testing.assert_array_equal(made.typical[0], heard.typical)
    np.testing.assert_array_equal(made.profile[0], cast.profile)
    assert made.heard_s.tolist() == [[3.5, 2.0]]
    assert made.is_there.tolist() == [[True, True]]
    assert made.is_frame.all()
    assert made.pause_s.tolist() == [0.5]
    assert made.patterns is None


def test_features_of_the_voice_are_those_at_the_middle_of_each_frame(heard, cast):
    made = scene(heard, cast, 0, N_FRAMES - 1, 0.5)
    at = (middles_s(N_FRAMES - 1) / VOICE_HOP_S).astype(int).clip(0, len(heard.voice) - 1)
    np.testing.assert_array_equal(made.inputs[0], heard.voice[at].astype(np.float32))
    # so they say who talks, but for the frames where somebody begins or ends
    truth = talk_of(SPANS, N_FRAMES)[:, :-1]
    says = made.inputs[0, :, :2].numpy().T > 0
    assert (says == truth).mean() > 0.99


def test_an_odd_number_of_frames_is_filled_up_with_one_that_is_none(heard, cast):
    odd, even = (scene(heard, cast, 0, end, 0.5) for end in (N_FRAMES, N_FRAMES - 1))
    assert odd.mel.shape[1] == N_FRAMES + 1
    assert odd.is_frame[0].tolist() == [True] * N_FRAMES + [False]
    for name in ("inputs", "context", "mel", "activity", "similarity", "local"):
        torch.testing.assert_close(getattr(odd, name)[0, -1], getattr(odd, name)[0, -2])
        torch.testing.assert_close(getattr(odd, name)[0, :-2], getattr(even, name)[0])


def test_a_scene_of_nobody_can_be_made(heard, cast):
    made = scene(heard, cast.only(np.zeros(2, bool)), 0, 100, 0.5)
    assert made.profile.shape == (1, 0, N_DIMENSIONS)
    assert made.similarity.shape == (1, 100, 0, 3)


def with_around(heard, moments):
    """The same, the first profile being so much like the voice around these moments."""
    around = np.zeros((3, len(moments), N_DIMENSIONS), np.float16)
    around[:, :, 0] = np.array(moments) * np.array([[1.0], [0.5], [0.25]])
    return replace(heard, around=around)


def test_between_two_moments_similarity_goes_straight(heard):
    made = with_around(heard, [0.0, 1.0, 0.5, 0.0])
    first_s = made.first_around_s
    at_s = first_s + AROUND_HOP_S * np.array([0.0, 0.5, 1.0, 1.25, 2.5])
    found = similarity_around(made, EYE[:2], at_s)
    expected = np.array([0.0, 0.5, 1.0, 0.875, 0.25])
    assert found.shape == (5, 2, 3)
    for size, share in enumerate((1.0, 0.5, 0.25)):
        np.testing.assert_allclose(found[:, 0, size], share * expected, atol=1e-6)
    assert not found[:, 1].any()


def test_before_the_first_moment_and_after_the_last_similarity_stays(heard):
    made = with_around(heard, [0.25, 1.0, 0.75])
    found = similarity_around(made, EYE[:1], np.array([0.0, 100.0, 1000.0]))
    np.testing.assert_allclose(found[:, 0, 0], [0.25, 0.75, 0.75], atol=1e-3)


def test_similarity_of_some_frames_is_that_of_all_at_these_frames(heard):
    at_s = middles_s(N_FRAMES)
    whole = similarity_around(heard, EYE[:3], at_s)
    for first, end in ((0, 7), (100, 101), (333, N_FRAMES)):
        part = similarity_around(heard, EYE[:3], at_s[first:end])
        np.testing.assert_allclose(part, whole[first:end], atol=1e-6)


def test_one_moment_is_all_there_is_to_be_like(heard):
    made = with_around(heard, [0.5])
    found = similarity_around(made, EYE[:1], np.array([0.0, 0.04, 7.0]))
    np.testing.assert_allclose(found[:, 0, 0], 0.5)


@pytest.mark.parametrize("n_frames", [1, 2, 6])
def test_a_recording_of_hardly_a_moment_is_a_scene(n_frames):
    heard = made_heard([[(0.0, 1.0)]], max(n_frames, 2))
    cast = cast_of(heard, EYE[:1], np.ones(1))
    made = scene(heard, cast, 0, n_frames, 0.5)
    assert made.similarity.shape == (1, n_frames + n_frames % 2, 1, 3)
    assert made.similarity.isfinite().all()


@pytest.fixture(scope="module")
def joined(heard, cast):
    long = scene(heard, cast.only(np.array([1])), 0, 100, 0.5)
    short = scene(heard, cast, 100, 161, 2.0)
    return long, short, together([long, short])


def test_scenes_together_keep_all_they_had(joined):
    *scenes, both = joined
    assert len(both) == 2
    assert both.pause_s.tolist() == [0.5, 2.0]
    for row, one in enumerate(scenes):
        n_frames, n_speakers = one.mel.shape[1], one.profile.shape[1]
        for name in ("inputs", "context", "mel", "activity", "is_frame"):
            assert torch.equal(getattr(both, name)[row, :n_frames], getattr(one, name)[0])
        for name in ("similarity", "local"):
            found = getattr(both, name)[row, :n_frames, :n_speakers]
            assert torch.equal(found, getattr(one, name)[0])
        for name in ("profile", "heard_s", "is_there"):
            assert torch.equal(getattr(both, name)[row, :n_speakers], getattr(one, name)[0])
        assert torch.equal(both.typical[row], one.typical[0])


def test_what_fills_scenes_up_is_no_frame_and_no_speaker(joined):
    both = joined[2]
    assert both.is_there.tolist() == [[True, False], [True, True]]
    assert both.is_frame.sum(1).tolist() == [100, 61]
    assert not both.profile[0, 1].any()
    assert not both.heard_s[0, 1]
    assert not both.similarity[0, :, 1].any()
    assert not both.local[0, :, 1].any()
    assert both.mel.shape[1] == 100


def test_scenes_of_nobody_together_have_a_place_for_one(heard, cast):
    nobody = scene(heard, cast.only(np.zeros(2, bool)), 0, 10, 0.5)
    both = together([nobody, nobody])
    assert both.profile.shape == (2, 1, N_DIMENSIONS)
    assert not both.is_there.any()


def test_patterns_are_kept_if_all_have_them(joined):
    long, short, _ = joined
    told = [
        replace(one, patterns=torch.ones(1, one.mel.shape[1], one.profile.shape[1]).long())
        for one in (long, short)
    ]
    both = together(told)
    assert both.patterns.shape == (2, 100, 2)
    assert both.patterns[0, :, 0].all()
    assert both.patterns[1, :62].all()
    assert not both.patterns[0, :, 1].any()  # who is not there does not talk
    assert not both.patterns[1, 62:].any()
    assert together([long, told[1]]).patterns is None
    assert together([told[0], short]).patterns is None


def test_a_batch_of_one_is_that_one(joined):
    long = joined[0]
    again = together([long])
    for name in ("inputs", "mel", "similarity", "profile", "is_frame", "pause_s"):
        assert torch.equal(getattr(again, name), getattr(long, name))


def test_frames_are_in_the_time_of_the_segmentation(heard):
    cast = Cast(EYE[:1], np.ones(1, np.float32), np.zeros((1, N_FRAMES), np.float32))
    made = scene(heard, cast, 50, 60, 0.5)
    at_s = START_S + (np.arange(50, 60) + 0.5) * HOP_S
    np.testing.assert_allclose(made.similarity[0], similarity_around(heard, EYE[:1], at_s))
