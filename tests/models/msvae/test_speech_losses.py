"""What scenes cost the speech MS-VAE, frame by frame by hand; and that chance is the caller's."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from tiny_speech import TINY, chance, made_speech, scenes_of, with_filling, with_nobodies

from diarize.models.msvae.speech.losses import OUT, pattern_numbers
from diarize.models.msvae.speech.model import speaker_patterns

WEIGHTS = {"cross_entropy": 1.0, "by_proposal": 0.5, "by_likelihood": 0.2, "bound": -0.02}


def mixed_scenes():
    """Frames of all kinds: known, not known, of too many speakers, and none at all; one nobody."""
    scenes = scenes_of(2, 10, 3)
    patterns = scenes.patterns.clone()
    patterns[0, 2:5] = -1
    patterns[1, 3] = -1
    patterns[1, 6:8] = 1  # three at once, where two may talk
    patterns[0, 7] = torch.tensor([1, 0, 1])
    return with_filling(with_nobodies(replace(scenes, patterns=patterns), 1), 4)


def kind_of(scenes, scene, frame, most):
    pattern = scenes.patterns[scene, frame].tolist()
    if not scenes.is_frame[scene, frame]:
        return "none"
    if min(pattern) < 0:
        return "unknown"
    return "known" if sum(pattern) <= most else "too many"


def frames_of(scenes, kind, most=2):
    places = product(range(len(scenes)), range(scenes.mel.shape[1]))
    return [place for place in places if kind_of(scenes, *place, most) == kind]


def place_of(patterns, wanted):
    return [[int(on) for on in row] for row in patterns].index(wanted.tolist())


def cross_entropy_by_hand(logits, scenes, patterns):
    """The mean of -log p(the pattern there is) over the frames of which that is known."""
    costs = []
    for scene, frame in frames_of(scenes, "known"):
        weight = [math.exp(one) for one in logits[scene, frame].tolist()]
        there = place_of(patterns, scenes.patterns[scene, frame])
        costs.append(-math.log(weight[there] / sum(weight)))
    return sum(costs) / len(costs)


def bound_by_hand(weighed, scenes, idle_charge):
    """The mean of the bound over frames known and not known."""
    patterns, explained = weighed.patterns.tolist(), weighed.explanation
    bounds = []
    for scene, frame in frames_of(scenes, "known"):
        step = frame // 2
        on = scenes.patterns[scene, frame].tolist()
        there = place_of(weighed.patterns, scenes.patterns[scene, frame])
        bound = explained.log_likelihood[scene, step, there].item()
        for speaker in range(3):  # the fourth is nobody
            share = 1.0 if on[speaker] else idle_charge
            bound -= share * explained.divergence[scene, step, speaker].item()
        bounds.append(bound - explained.background[scene, step].item())
    for scene, frame in frames_of(scenes, "unknown"):
        step = frame // 2
        prior = [math.exp(one) for one in weighed.proposed[scene, frame].tolist()]
        evidence = sum(
            weight / sum(prior) * math.exp(explained.log_likelihood[scene, step, place].item())
            for place, weight in enumerate(prior)
        )
        bound = math.log(evidence)
        posterior = weighed.log_probability[scene, frame].exp().tolist()
        for speaker in range(3):
            talks = sum(q for q, on in zip(posterior, patterns, strict=True) if on[speaker])
            bound -= talks * explained.divergence[scene, step, speaker].item()
        bounds.append(bound - explained.background[scene, step].item())
    return sum(bounds) / len(bounds)


@pytest.mark.parametrize("idle_charge", [0.0, 0.1, 1.0])
def test_each_part_of_the_loss_is_what_it_is_by_hand(idle_charge):
    model, scenes = made_speech(most_together=2, idle_charge=idle_charge), mixed_scenes()
    with torch.no_grad():
        weighed, losses = model.weigh(scenes, chance(5)), model.loss(scenes, chance(5))
    logits = {
        "cross_entropy": weighed.proposed + weighed.supported,
        "by_proposal": weighed.proposed,
        "by_likelihood": weighed.alone,
    }
    expected = {
        name: cross_entropy_by_hand(one, scenes, weighed.patterns) for name, one in logits.items()
    }
    expected["bound"] = bound_by_hand(weighed, scenes, idle_charge)
    assert {name: float(one) for name, one in losses.parts.items()} == pytest.approx(expected)
    total = sum(WEIGHTS[name] * one for name, one in expected.items())
    assert losses.total.item() == pytest.approx(total)


def test_the_scenes_of_these_tests_have_frames_of_all_kinds():
    scenes = mixed_scenes()
    counts = [len(frames_of(scenes, kind)) for kind in ("known", "unknown", "too many", "none")]
    assert sum(counts) == 28
    assert counts[1:] == [4, 2, 8]


def test_settings_weigh_the_parts():
    weights = {"proposal_weight": 0.3, "likelihood_weight": 0.7, "bound_weight": 0.11}
    model = made_speech(**weights)
    with torch.no_grad():
        losses = model.loss(scenes_of(), chance(5))
    parts = {name: float(one) for name, one in losses.parts.items()}
    total = (
        parts["cross_entropy"]
        + 0.3 * parts["by_proposal"]
        + 0.7 * parts["by_likelihood"]
        - 0.11 * parts["bound"]
    )
    assert losses.total.item() == pytest.approx(total)


def test_a_pattern_has_the_number_of_its_row_and_others_have_none():
    model, scenes = made_speech(most_together=2), mixed_scenes()
    with torch.no_grad():
        patterns = model.weigh(scenes).patterns
    numbers = pattern_numbers(scenes, patterns)
    for scene, frame in frames_of(scenes, "known"):
        there = patterns[numbers[scene, frame]]
        assert there.tolist() == scenes.patterns[scene, frame].tolist()
    for kind in ("unknown", "too many", "none"):
        assert {int(numbers[place]) for place in frames_of(scenes, kind)} == {OUT}


def test_of_forty_speakers_who_talks_is_told_as_well():
    scenes = scenes_of(1, 4, 40)
    scenes.patterns.zero_()
    scenes.patterns[0, 1, 39] = 1
    scenes.patterns[0, 2, [0, 20]] = 1
    scenes.patterns[0, 3, [0, 20, 39]] = 1
    patterns = speaker_patterns(40, 2)
    numbers = pattern_numbers(scenes, patterns)[0]
    assert numbers[3] == OUT
    assert torch.equal(patterns[numbers[:3]], scenes.patterns[0, :3].float())


@pytest.mark.parametrize("patterns", ["minus one", None])
def test_where_no_pattern_is_known_the_bound_is_all_there_is(patterns):
    model, scenes = made_speech(), scenes_of()
    told = None if patterns is None else torch.full_like(scenes.patterns, -1)
    losses = model.loss(replace(scenes, patterns=told), chance(5))
    assert losses.parts.keys() == {"bound"}
    expected = -TINY.bound_weight * losses.parts["bound"]
    torch.testing.assert_close(losses.total.detach(), expected)
    losses.total.backward()
    for name, one in model.named_parameters():
        if name == "log_trust_alone":  # that of a likelihood asked alone
            assert one.grad is None
        else:
            assert bool(one.grad.isfinite().all()), name
            assert bool(one.grad.any()), name


def test_not_to_be_told_anything_is_to_be_told_minus_one_everywhere():
    model, scenes = made_speech(), scenes_of()
    untold = replace(scenes, patterns=torch.full_like(scenes.patterns, -1))
    found = [model.loss(one, chance(5)).total for one in (untold, replace(scenes, patterns=None))]
    assert torch.equal(*found)


def test_a_frame_not_known_teaches_through_the_bound_alone():
    """Its gradient in the rest is nothing, so that a weight of 0 on the bound silences it."""
    model, scenes = made_speech(bound_weight=0.0), scenes_of()
    untold = replace(scenes, patterns=torch.full_like(scenes.patterns, -1))
    model.loss(untold, chance(5)).total.backward()
    assert not any(bool(one.grad.any()) for one in model.parameters() if one.grad is not None)


def test_which_of_too_many_talk_does_not_matter():
    model, scenes = made_speech(most_together=1), scenes_of(2, 8, 3)
    costs = []
    for pattern in ([1, 1, 0], [0, 1, 1], [1, 1, 1]):
        patterns = scenes.patterns.clone()
        patterns[:, 2:4] = torch.tensor(pattern)
        costs.append(model.loss(replace(scenes, patterns=patterns), chance(5)).total.item())
    assert costs[0] == costs[1] == costs[2]


def test_a_batch_with_too_many_speakers_everywhere_costs_nothing():
    model, scenes = made_speech(most_together=1), scenes_of(2, 8, 3)
    losses = model.loss(replace(scenes, patterns=torch.ones_like(scenes.patterns)), chance(5))
    assert losses.parts.keys() == {"bound"}
    assert losses.total.item() == 0.0


def test_the_bound_of_a_known_pattern_is_below_its_likelihood_and_falls_with_the_idle_charge():
    scenes, bounds = scenes_of(), []
    for idle_charge in (0.0, 0.5, 1.0):
        model = made_speech(idle_charge=idle_charge)
        bounds.append(model.loss(scenes, chance(5)).parts["bound"].item())
    weighed = model.weigh(scenes, chance(5))
    known = pattern_numbers(scenes, weighed.patterns)
    likelihood = weighed.explanation.log_likelihood.repeat_interleave(2, 1)
    mean = likelihood.gather(2, known[..., None]).mean().item()
    assert mean > bounds[0] > bounds[1] > bounds[2]


def gradients(model, scenes, seed):
    model.zero_grad(set_to_none=True)
    total = model.loss(scenes, chance(seed)).total
    total.backward()
    return total.detach(), [one.grad.clone() for one in model.parameters()]


@pytest.mark.parametrize("training", [True, False])
def test_the_same_seed_gives_the_same_loss_and_gradients_whatever_torch_drew(training):
    model, scenes = made_speech().train(training), mixed_scenes()
    with torch.random.fork_rng(devices=[]):
        found = []
        for others in (1, 2):
            torch.manual_seed(others)
            torch.randn(others)
            found.append(gradients(model, scenes, seed=5))
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(one, other) for one, other in zip(found[0][1], found[1][1], strict=True))
    assert not torch.equal(found[0][0], gradients(model, scenes, seed=6)[0])


def test_in_use_without_a_generator_nothing_is_drawn():
    model, scenes = made_speech(dropout=0.5, deaf=0.5), scenes_of()
    before = torch.get_rng_state()
    with torch.no_grad():
        found = [model.weigh(scenes).log_probability for _ in range(2)]
    assert torch.equal(*found)
    assert torch.equal(torch.get_rng_state(), before)


def test_in_training_hidden_units_and_whole_senses_are_left_out():
    scenes = scenes_of()

    def proposed(seed, **shares):
        model = made_speech(**{"dropout": 0.0, "deaf": 0.0, **shares}).train()
        with torch.no_grad():
            return model.weigh(scenes, chance(seed)).proposed

    assert torch.equal(proposed(1), proposed(2))
    assert not torch.equal(proposed(1, dropout=0.5), proposed(2, dropout=0.5))
    assert not torch.equal(proposed(1, deaf=0.5), proposed(2, deaf=0.5))


def test_a_sense_that_is_left_out_is_not_heard_at_all():
    """With hardly ever anything heard, what the networks say of the voice changes nothing."""
    model = made_speech(dropout=0.0, deaf=1 - 1e-9).train()
    scenes = scenes_of()
    other = replace(scenes, inputs=scenes.inputs.flip(1), context=scenes.context.flip(1))
    with torch.no_grad():
        found = [model.weigh(one, chance(1)).proposed for one in (scenes, other)]
    assert torch.equal(*found)
