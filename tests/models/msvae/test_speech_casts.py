"""Who sits where, who is not there, and which frames are none: none of that may matter."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from tiny_speech import (
    chance,
    cut,
    made_speech,
    rows,
    scenes_of,
    seated,
    with_filling,
    with_nobodies,
)

from diarize.models.msvae.speech.network import closest_rival, greatest_other


def presence(model, scenes):
    with torch.no_grad():
        return model.weigh(scenes).presence


def cost(model, scenes):
    with torch.no_grad():
        found = model.loss(scenes, chance(4))
    return {"total": float(found.total), **{name: float(p) for name, p in found.parts.items()}}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_another_order_speakers_talk_when_they_did(order):
    model, scenes = made_speech(), scenes_of(2, 10, 3)
    torch.testing.assert_close(
        presence(model, seated(scenes, order)), presence(model, scenes)[..., list(order)]
    )


def test_in_another_order_speakers_cost_what_they_did():
    """But for the draws, which go by place: so let what is drawn not matter."""
    model, scenes = made_speech(), scenes_of(2, 10, 4)
    with torch.no_grad():
        model.streams.decoder[0].weight[:, : model.settings.n_latents] = 0
        model.streams.background[0].weight[:, : model.settings.n_background] = 0
    torch.testing.assert_close(
        cost(model, seated(scenes, [2, 0, 3, 1])), cost(model, scenes), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("n_speakers", [1, 2, 3])
@pytest.mark.parametrize("n_more", [1, 2])
@pytest.mark.parametrize("trust", [0.03, 3.0])
def test_who_is_not_there_never_talks_and_changes_nobody(n_speakers, n_more, trust):
    model, scenes = made_speech(trust=trust), scenes_of(2, 10, n_speakers)
    found = presence(model, with_nobodies(scenes, n_more))
    assert not found[..., n_speakers:].any()
    torch.testing.assert_close(found[..., :n_speakers], presence(model, scenes))


def test_who_is_not_there_changes_nobody_wherever_he_sits():
    model, scenes = made_speech(), scenes_of(2, 10, 2)
    found = presence(model, seated(with_nobodies(scenes, 2), [2, 0, 3, 1]))
    assert not found[..., [0, 2]].any()
    torch.testing.assert_close(found[..., [1, 3]], presence(model, scenes))


@pytest.mark.parametrize("known", ["all", "half", "none"])
def test_who_is_not_there_costs_nothing(known):
    model, scenes = made_speech(), scenes_of(1, 10, 2)
    patterns = scenes.patterns.clone()
    if known != "all":
        patterns[:, 5 if known == "half" else 0 :] = -1
    scenes = replace(scenes, patterns=patterns)
    with torch.no_grad():  # draws go by place, so let them not matter
        model.streams.decoder[0].weight[:, : model.settings.n_latents] = 0
        model.streams.background[0].weight[:, : model.settings.n_background] = 0
    more = with_nobodies(scenes, 2)
    torch.testing.assert_close(cost(model, more), cost(model, scenes), rtol=1e-9, atol=1e-9)


def test_scenes_in_which_nobody_is_there_are_silent_and_can_be_trained_on():
    model, scenes = made_speech(), scenes_of(2, 6, 2)
    nobody = torch.zeros_like(scenes.is_there)
    scenes = replace(scenes, is_there=nobody, patterns=torch.zeros_like(scenes.patterns))
    assert not presence(model, scenes).any()
    found = model.loss(scenes, chance())
    assert found.parts["cross_entropy"] == 0
    found.total.backward()
    assert all(bool(one.grad.isfinite().all()) for one in model.parameters())


@pytest.mark.parametrize("n_more", [2, 8])
def test_frames_that_are_none_change_nothing_of_those_there_are(n_more):
    model, scenes = made_speech(background_steps=5), scenes_of(2, 10, 3)
    found = presence(model, with_filling(scenes, n_more))
    torch.testing.assert_close(found[:, :10], presence(model, scenes))


def test_a_short_scene_beside_a_longer_one_is_as_it_is_by_itself():
    model, scenes = made_speech(background_steps=5), scenes_of(2, 16, 3)
    scenes.is_frame[0, 6:] = False
    scenes.mel[0, 6:] = 0
    found = presence(model, scenes)
    short, whole = cut(rows(scenes, [0]), 0, 6), rows(scenes, [1])
    torch.testing.assert_close(found[:1, :6], presence(model, short))
    torch.testing.assert_close(found[1:], presence(model, whole))


def test_the_loss_says_nothing_of_frames_that_are_none():
    model, scenes = made_speech(), scenes_of(1, 10, 2)
    with torch.no_grad():
        model.streams.decoder[0].weight[:, : model.settings.n_latents] = 0
        model.streams.background[0].weight[:, : model.settings.n_background] = 0
    for patterns in (scenes.patterns, torch.full_like(scenes.patterns, -1), None):
        told = replace(scenes, patterns=patterns)
        torch.testing.assert_close(
            cost(model, with_filling(told, 6)), cost(model, told), rtol=1e-9, atol=1e-9
        )


def test_recurrent_layers_hear_both_ways_so_a_change_anywhere_is_heard_everywhere():
    model, scenes = made_speech(), scenes_of(1, 12, 2)
    other = replace(scenes, mel=scenes.mel.clone())
    other.mel[0, -1] += 3.0
    moved = (presence(model, other) - presence(model, scenes)).abs()
    assert bool((moved[0].amax(1) > 0).all())


def test_a_row_of_a_batch_is_as_it_is_alone():
    model, scenes = made_speech(), scenes_of(3, 8, 3)
    together = presence(model, scenes)
    for row in range(3):
        torch.testing.assert_close(presence(model, rows(scenes, [row])), together[row : row + 1])


def test_the_greatest_of_the_others_is_that_of_everybody_else():
    values = torch.tensor([[[[5.0, -2.0], [5.0, 0.5], [1.0, 0.7]]]])
    expected = torch.tensor([[[[5.0, 0.7], [5.0, 0.7], [5.0, 0.5]]]])
    assert torch.equal(greatest_other(values), expected)


def test_among_none_the_greatest_other_is_minus_one():
    assert greatest_other(torch.tensor([[[[0.3]], [[0.9]]]])).flatten().tolist() == [-1, -1]


def profiles(vectors, heard_s, is_there=None):
    scenes = scenes_of(1, 2, len(vectors))
    voices = torch.zeros_like(scenes.profile)
    voices[0, :, :2] = torch.tensor(vectors, dtype=voices.dtype)
    there = torch.tensor([is_there or [True] * len(vectors)])
    told = {"heard_s": torch.tensor([heard_s], dtype=voices.dtype), "is_there": there}
    return closest_rival(replace(scenes, profile=voices, **told))[0].tolist()


def test_the_closest_rival_is_the_most_alike_of_those_with_more_speech():
    voices = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]]
    # the first has most speech, so no rival; the fourth is like nobody who has more than he
    found = profiles(voices, [9.0, 4.0, 2.0, 1.0])
    assert found == pytest.approx([0.0, 0.8, 0.6, 0.0])
    assert profiles(voices, [1.0, 4.0, 9.0, 2.0]) == pytest.approx([0.8, 0.6, 0.0, 0.0])


def test_who_is_not_there_is_nobody_s_rival_nor_is_one_with_as_much_speech():
    voices = [[1.0, 0.0], [1.0, 0.0]]
    assert profiles(voices, [1.0, 2.0]) == [1.0, 0.0]
    assert profiles(voices, [1.0, 2.0], [True, False]) == [0.0, 0.0]
    assert profiles(voices, [2.0, 2.0]) == [0.0, 0.0]
