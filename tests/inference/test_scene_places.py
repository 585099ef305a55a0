"""Voices in two places of a recording: who has them, and that they change nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_heard import N_DIMENSIONS, Pure, made_heard, talk_of

from diarize.inference import scene_supply
from diarize.inference.heard_files import HeardTruth, save_heard
from diarize.inference.known_recording import LEAST_S, KnownRecording
from diarize.inference.scene_supply import SceneSettings, SceneSupply

EYE = np.eye(N_DIMENSIONS)
N_FRAMES = 1200  # 20 s
TURNS = {
    "a": ([[(1.0, 6.0), (11.0, 15.0)], [(6.5, 10.0), (15.5, 19.0)]], EYE[:2]),
    "b": ([[(0.5, 9.0)], [(8.0, 17.0)], [(16.0, 20.0)]], EYE[2:5]),
}
SMALL = SceneSettings(n_batches=4, batch=4, window_s=4.0, places=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    for name, (spans, voices) in TURNS.items():
        heard = made_heard(spans, N_FRAMES, voices, seed=len(spans))
        save_heard(folder / "heard" / f"{name}.safetensors", heard, talk_of(spans, N_FRAMES))
    return folder


@pytest.fixture(autouse=True)
def pure(monkeypatch):
    monkeypatch.setattr(scene_supply, "load_speaker_network", lambda name: Pure())


def batches(folder, **changes):
    return list(SceneSupply(folder, replace(SMALL, **changes)).epoch("conversations", 0))


def test_scenes_are_the_same_with_places_and_without(folder):
    for plain, placed in zip(batches(folder, places=False), batches(folder), strict=True):
        assert plain.places is plain.places_s is plain.owner is None
        for name in ("inputs", "mel", "patterns", "profile", "heard_s", "local", "is_there"):
            assert torch.equal(getattr(plain, name), getattr(placed, name))


def test_places_are_of_the_speaker_s_own_voice_and_their_owner_is_he_alone(folder):
    """Voices are pure: all that one speaker says has one direction, unlike any other's."""
    seen = {}
    for batch in batches(folder, impure_share=0.0, found_share=0.0):
        for scene, place in (batch.owner >= 0).nonzero().tolist():
            own, both = batch.profile[scene, place], batch.places[scene, place]
            assert (both @ own).min() > 0.9
            seen.setdefault(int(batch.owner[scene, place]), []).append(own)
            assert SMALL.least_profile_s - 0.02 <= batch.places_s[scene, place].min()
    assert set(seen) == {0, 1, 2, 3, 4}
    for owner, voices in seen.items():
        assert all(float(one @ voices[0]) > 0.9 for one in voices)
        others = [other[0] for who, other in seen.items() if who != owner]
        assert all(float(one @ voices[0]) < 0.5 for one in others)


def test_strangers_and_those_who_fill_up_have_none(folder):
    found = batches(folder, found_share=0.0, stranger_share=1.0)
    assert any(bool((batch.owner[batch.is_there] < 0).any()) for batch in found)
    for batch in found:
        without = batch.owner < 0
        assert not batch.places[without].any()
        assert not batch.places_s[without].any()
        assert not (batch.owner[~batch.is_there] >= 0).any()


def test_two_places_share_no_speech_and_who_says_little_has_none():
    spans = [[(1.0, 6.0)], [(7.0, 7.0 + 1.5 * LEAST_S)]]
    heard = made_heard(spans, 600, EYE[:2], seed=3)
    one = KnownRecording(HeardTruth("a", heard, talk_of(spans, 600)), Pure())
    chance = np.random.default_rng(0)
    for _ in range(20):
        first, second = one.two_places(0, 0.6, 20.0, chance)
        assert first.max() < second.min()
        assert set(first) | set(second) <= set(one.alone(0))
    assert one.two_places(1, 0.6, 20.0, chance) == []
