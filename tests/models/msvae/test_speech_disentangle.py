"""CrossMI and GenAug between streams: what they cost by hand, whom they teach, what they refuse."""

import math
from dataclasses import replace

import pytest
import torch
from tiny_speech import (
    chance,
    made_speech,
    rows,
    scenes_of,
    seated,
    with_filling,
    with_nobodies,
)
from torch.nn import functional

from diarize.errors import BadCall
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.disentangle import (
    MOST_STEPS,
    across_places,
    disentangling,
    handed_on,
    swapped,
    talking_share,
)


def with_places(scenes, seed=11, noise=0.3):
    """The voices of the scenes in two places each, which are like the profiles but not the same."""
    generator = chance(seed)
    n_scenes, n_speakers, dimension = scenes.profile.shape
    drawn = torch.randn(
        n_scenes, n_speakers, 2, dimension, generator=generator, dtype=torch.float64
    )
    heard_s = torch.rand(n_scenes, n_speakers, 2, generator=generator, dtype=torch.float64) * 9 + 1
    return replace(
        scenes,
        places=functional.normalize(scenes.profile[:, :, None] + noise * drawn, dim=3),
        places_s=heard_s,
        owner=torch.arange(n_scenes * n_speakers).view(n_scenes, n_speakers),
    )


def one_after_the_other(n_speakers=3, n_frames=12, n_scenes=2):
    """Scenes in which all talk, each alone, for four frames."""
    scenes = scenes_of(n_scenes, n_frames, n_speakers)
    who = torch.arange(n_frames) // 4 % n_speakers
    return replace(scenes, patterns=functional.one_hot(who, n_speakers).expand(n_scenes, -1, -1))


def terms(model, scenes, temperature=0.1):
    explanation = model.weigh(scenes, chance(5)).explanation
    return swapped(model.listener, model.streams, scenes, explanation, temperature)


def test_without_weights_losses_are_as_they_were_and_places_are_not_looked_at():
    model, scenes = made_speech(), scenes_of()
    plain, placed = (model.loss(one, chance(5)) for one in (scenes, with_places(scenes)))
    assert plain.parts.keys() == {"cross_entropy", "by_proposal", "by_likelihood", "bound"}
    assert torch.equal(plain.total, placed.total)


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({"cross_weight": 0.3}, {"cross_mi"}),
        ({"augment_weight": 0.6}, {"content_again", "voice_again"}),
        ({"cross_weight": 0.3, "augment_weight": 0.6}, None),
    ],
)
def test_weights_count_each_term_once(weights, names):
    scenes = with_places(one_after_the_other())
    plain = made_speech().loss(scenes, chance(5))
    losses = made_speech(**weights).loss(scenes, chance(5))
    names = names or {"cross_mi", "content_again", "voice_again"}
    assert losses.parts.keys() - plain.parts.keys() == names
    share = {"cross_mi": 0.3, "content_again": 0.3, "voice_again": 0.3}
    added = sum(share[name] * losses.parts[name] for name in names)
    torch.testing.assert_close(losses.total, plain.total + added)
    assert all(torch.equal(losses.parts[name], one) for name, one in plain.parts.items())


def test_the_contrast_of_voices_by_hand():
    model, scenes = made_speech(), with_places(scenes_of(1, 4, 2))
    with torch.no_grad():
        found = across_places(model.listener, scenes, 0.5).item()
        codes = []
        for place in (0, 1):
            view = replace(
                scenes, profile=scenes.places[:, :, place], heard_s=scenes.places_s[:, :, place]
            )
            codes += list(functional.normalize(model.listener.voice_code(view)[0], dim=1))
    costs = []
    for one, partner in ((0, 2), (1, 3), (2, 0), (3, 1)):
        weights = [math.exp(float(codes[one] @ codes[k]) / 0.5) for k in range(4)]
        costs.append(-math.log(weights[partner] / (sum(weights) - weights[one])))
    assert found == pytest.approx(sum(costs) / 4)


def test_a_recording_drawn_twice_is_no_rival_of_itself_and_who_has_no_two_places_is_left_out():
    model, scenes = made_speech(), with_places(scenes_of(1, 4, 3))
    once = across_places(model.listener, scenes, 0.1)
    twice = across_places(model.listener, rows(scenes, [0, 0]), 0.1)
    strangers = replace(rows(scenes, [0, 0]), owner=torch.arange(6).view(2, 3))
    # each has its rivals twice, but is not its own rival
    assert once < twice < across_places(model.listener, strangers, 0.1)
    left_out = replace(scenes, owner=torch.tensor([[0, -1, 2]]))
    without = seated(scenes, [0, 2])
    torch.testing.assert_close(
        across_places(model.listener, left_out, 0.1), across_places(model.listener, without, 0.1)
    )


def test_one_speaker_alone_has_nobody_to_be_told_from():
    model, scenes = made_speech(), with_places(scenes_of(2, 4, 1))
    for owner in (torch.tensor([[3], [3]]), torch.tensor([[3], [-1]]), torch.tensor([[-1], [-1]])):
        assert across_places(model.listener, replace(scenes, owner=owner), 0.1).item() == 0.0


def test_places_missing_where_they_are_needed_are_named_with_the_setting_that_gives_them():
    with pytest.raises(BadCall, match=r"cross_weight above 0 .* \[data\] places = true"):
        made_speech(cross_weight=0.1).loss(scenes_of(), chance())


@pytest.mark.parametrize("name", ["cross_weight", "augment_weight"])
@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_weights_that_cannot_be_meant_are_refused(name, value):
    with pytest.raises(BadCall, match=rf"{name} = {value}; 0 or more is wanted"):
        SpeechSettings(**{name: value})


def test_a_temperature_of_nothing_is_refused():
    with pytest.raises(BadCall, match=r"temperature = 0.0; above 0"):
        SpeechSettings(temperature=0.0)


def test_voices_go_round_among_those_who_talk():
    talks = torch.tensor(
        [[True, True, True], [False, True, False], [True, False, True], [False, False, False]]
    )
    assert handed_on(talks).tolist() == [[1, 2, 0], [0, 1, 2], [2, 1, 0], [0, 1, 2]]


def test_the_share_of_a_step_is_that_of_its_two_frames_and_nothing_where_it_is_not_known():
    scenes = with_filling(with_nobodies(scenes_of(1, 6, 2), 1), 2)
    patterns = scenes.patterns.clone()
    patterns[0] = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [-1, -1, -1], *4 * [[0, 0, 0]]])
    share = talking_share(replace(scenes, patterns=patterns))
    assert share[0].tolist() == [[1, 0.5, 0], [0, 0.5, 0], [0, 0, 0], [0, 0, 0]]
    assert not talking_share(replace(scenes, patterns=None)).any()


def noted(listener):
    """What the listener will be asked to hear: a list that grows, of scenes and of how."""
    asked = []
    listener.register_forward_pre_hook(
        lambda _, given, how: asked.append((given[0], how)), with_kwargs=True
    )
    return asked


def test_what_is_heard_again_is_what_was_said_in_the_voice_of_the_next():
    model, scenes = made_speech(), one_after_the_other()
    explanation = model.weigh(scenes, chance(5)).explanation
    asked = noted(model.listener)
    with torch.no_grad():
        swapped(model.listener, model.streams, scenes, explanation, 0.1)
        ((heard, how),) = asked
        assert how == {"by_spectrum": True}
        assert torch.equal(heard.profile, scenes.profile[:, [1, 2, 0]])
        assert torch.equal(heard.heard_s, scenes.heard_s[:, [1, 2, 0]])
        code = model.listener.voice_code(scenes)[1, 2]  # the next of the second is the third
        step = 2  # frames 4 and 5, in which the second talks
        latents = explanation.drawn[1, step, 1]
        half_log = model.streams.decoder(torch.cat([latents, code]))
    power = (2 * half_log).exp() + explanation.behind[1, step]
    wanted = (power.log() + scenes.typical[1].mean()).repeat_interleave(2)
    torch.testing.assert_close(heard.mel[1, 4], wanted)
    torch.testing.assert_close(heard.mel[1, 5], wanted)
    for name in ("similarity", "local"):
        told, was = getattr(heard, name), getattr(scenes, name)
        torch.testing.assert_close(told, was.mean(2, keepdim=True).expand_as(was))


def test_by_the_spectrum_nothing_else_of_the_sound_is_heard():
    model, scenes = made_speech(), scenes_of()
    other = replace(scenes, inputs=scenes.inputs + 1, context=scenes.context + 1)
    with torch.no_grad():
        heard, same = (model.listener(one, by_spectrum=True).speaker for one in (scenes, other))
        assert torch.equal(heard, same)
        louder = replace(scenes, mel=scenes.mel + torch.linspace(0, 1, scenes.mel.shape[2]))
        assert not torch.equal(heard, model.listener(louder, by_spectrum=True).speaker)
        assert not torch.equal(heard, model.listener(scenes).speaker)


def test_who_is_heard_is_told_by_the_log_odds_where_one_talks_alone():
    model, scenes = made_speech(), one_after_the_other()
    explanation = model.weigh(scenes, chance(5)).explanation
    asked = noted(model.listener)
    with torch.no_grad():
        _, voice = swapped(model.listener, model.streams, scenes, explanation, 0.1)
        odds = model.listener(asked[0][0], by_spectrum=True).speaker
    costs = []
    for scene in range(2):
        for step in range(6):
            both = odds[scene, 2 * step : 2 * step + 2].mean(0)
            costs.append(-both.log_softmax(0)[step // 2].item())
    assert voice.item() == pytest.approx(sum(costs) / len(costs))


def test_where_one_talks_or_nobody_no_voice_is_to_be_found():
    model, scenes = made_speech(), one_after_the_other(1)
    content, voice = terms(model, scenes)
    assert content.item() > 0
    assert voice.item() == 0.0
    for patterns in (torch.zeros_like(scenes.patterns), -torch.ones_like(scenes.patterns), None):
        content, voice = terms(model, replace(scenes, patterns=patterns))
        assert content.item() == voice.item() == 0.0


def test_people_who_fill_up_a_batch_change_nothing():
    model, scenes = made_speech(), one_after_the_other()
    before = terms(model, scenes)
    explanation = model.weigh(scenes, chance(5)).explanation
    of_speakers = ("divergence", "latents", "drawn")
    longer = {
        name: torch.cat([one := getattr(explanation, name), torch.ones_like(one[:, :, :1])], 2)
        for name in of_speakers
    }
    more = replace(explanation, **longer)
    after = swapped(model.listener, model.streams, with_nobodies(scenes, 1), more, 0.1)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other)


def test_of_many_steps_some_are_contrasted_evenly():
    model, scenes = made_speech(), one_after_the_other(2, 600, 2)
    content, _ = terms(model, scenes)
    assert content.item() <= math.log(2 * MOST_STEPS - 1) + 2 / 0.1
    assert content.isfinite()


def test_both_terms_teach_the_codes_and_genaug_the_streams_too():
    scenes = with_places(one_after_the_other())
    for weights, taught in (
        ({"cross_weight": 1.0}, {"listener.character.0.weight"}),
        (
            {"augment_weight": 1.0},
            {
                *("listener.character.0.weight", "streams.decoder.0.weight"),
                *("streams.latents.weight", "listener.spectrum.weight"),
            },
        ),
    ):
        model = made_speech(**weights)
        explanation = model.weigh(scenes, chance(5)).explanation
        total, _ = disentangling(model.settings, model.listener, model.streams, scenes, explanation)
        model.zero_grad(set_to_none=True)
        total.backward()
        moved = {
            n for n, one in model.named_parameters() if one.grad is not None and one.grad.any()
        }
        assert taught <= moved
        if "cross_weight" in weights:
            assert all(name.startswith("listener.character") for name in moved)


@pytest.mark.parametrize(
    ("weight", "rate", "most"), [("cross_weight", 0.004, 0.8), ("augment_weight", 0.02, 0.9)]
)
def test_they_can_be_learned(weight, rate, most):
    """Some steps on two scenes make each term cheaper."""
    model = made_speech(**{weight: 1.0, "temperature": 0.5}).train()
    scenes = with_places(one_after_the_other())
    optimizer, first = torch.optim.Adam(model.parameters(), lr=rate), None
    for _ in range(60):
        optimizer.zero_grad()
        explanation = model.weigh(scenes, chance(5)).explanation
        total, parts = disentangling(
            model.settings, model.listener, model.streams, scenes, explanation
        )
        total.backward()
        optimizer.step()
        first = first or parts
    for name, one in parts.items():
        assert one < most * first[name], name
