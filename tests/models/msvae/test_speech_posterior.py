"""What the speech MS-VAE says of who talks, against sums done pattern by pattern, band by band."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from tiny_speech import TINY, chance, made_speech, scenes_of

from diarize.models.msvae.speech.model import speaker_patterns
from diarize.models.msvae.speech.network import Proposal
from diarize.models.msvae.speech.streams import STEEPEST

LOUDEST = math.exp(STEEPEST)


class Hand:
    """The streams of a model, done again with numpy, one number after the other."""

    def __init__(self, model, scenes, draws=None):
        self.settings, self.draws = model.settings, draws
        self.weights = {name: one.numpy() for name, one in model.state_dict().items()}
        with torch.no_grad():
            heard = model.listener(scenes)
        self.moment, self.voice = heard.moment.numpy(), heard.voice.numpy()
        self.character = heard.character.numpy()
        self.mel, self.typical = scenes.mel.numpy(), scenes.typical.numpy()
        self.scale = np.exp(self.weights["streams.log_scale"])

    def linear(self, values, name):
        return self.weights[f"{name}.weight"] @ values + self.weights[f"{name}.bias"]

    def perceptron(self, values, name):
        return self.linear(np.maximum(self.linear(values, f"{name}.0"), 0), f"{name}.2")

    def power(self, half_log):
        return np.clip(np.exp(2 * half_log), 1 / LOUDEST, LOUDEST)

    def latents(self, scene, step, speaker):
        told = self.linear(self.voice[scene, step, speaker], "streams.latents")
        mean, log_variance = np.split(told, 2)
        return mean, np.clip(log_variance, -8, 4)

    def background_latents(self, scene, step):
        half = self.settings.background_steps // 2
        around = self.moment[scene, max(0, step - half) : step + half + 1]
        told = np.mean([self.linear(one, "streams.background_latents") for one in around], axis=0)
        mean, log_variance = np.split(told, 2)
        return mean, np.clip(log_variance, -8, 4)

    def drawn(self, latents, draw):
        mean, log_variance = latents
        return mean if draw is None else mean + np.exp(log_variance / 2) * draw.numpy()

    def speaker_power(self, scene, step, speaker):
        draw = None if self.draws is None else self.draws[0][scene, step, speaker]
        z = self.drawn(self.latents(scene, step, speaker), draw)
        told = np.concatenate([z, self.character[scene, speaker]])
        return self.power(self.perceptron(told, "streams.decoder"))

    def background_power(self, scene, step):
        draw = None if self.draws is None else self.draws[1][scene, step]
        z = self.drawn(self.background_latents(scene, step), draw)
        typical = self.typical[scene]
        shape = [(band.mean() - typical.mean()) / 2 for band in np.split(typical, 4)]
        return self.power(self.perceptron(np.concatenate([z, shape]), "streams.background"))

    def log_likelihood(self, scene, step, pattern):
        power = self.background_power(scene, step)
        for speaker, is_on in enumerate(pattern):
            if is_on:
                power = power + self.speaker_power(scene, step, speaker)
        mel = self.mel[scene, 2 * step : 2 * step + 2]
        total = 0.0
        for band in range(4):
            seen = (mel[:, 2 * band : 2 * band + 2].mean() - self.typical[scene].mean()) / 2
            b = self.scale[band]
            density = math.exp(-abs(seen - math.log(power[band]) / 2) / b) / (2 * b)
            total += math.log(density)
        return total

    def proposal(self, scene, frame, pattern):
        """The log weight of a pattern: the odds of those who are on, and of their number."""
        step, place = divmod(frame, 2)
        voices = self.voice[scene, step]
        odds = [self.linear(one, "listener.speaker")[place] for one in voices]
        told = np.concatenate([self.moment[scene, step], voices.mean(0), voices.max(0)])
        count = self.perceptron(told, "listener.count").reshape(2, -1)[place]
        return sum(o for o, is_on in zip(odds, pattern, strict=True) if is_on) + count[sum(pattern)]


def listed(n_speakers, most):
    return [one for one in product((0, 1), repeat=n_speakers) if sum(one) <= most]


def by_pattern(weighed, values):
    """Values of patterns, by pattern."""
    keys = [tuple(int(one) for one in row) for row in weighed.patterns]
    return dict(zip(keys, values.tolist(), strict=True))


def divergence(latents):
    mean, log_variance = latents
    return sum((m * m + math.exp(v) - v - 1) / 2 for m, v in zip(mean, log_variance, strict=True))


@pytest.mark.parametrize(("n_speakers", "most"), [(1, 3), (2, 1), (2, 3), (4, 2), (4, 3)])
def test_the_posterior_is_proposal_and_likelihood_of_each_pattern(n_speakers, most):
    model = made_speech(most_together=most, trust=0.3)
    scenes = scenes_of(2, 6, n_speakers)
    hand, trust = Hand(model, scenes), model.log_trust.exp().item()
    with torch.no_grad():
        weighed = model.weigh(scenes)
    patterns = listed(n_speakers, most)
    for scene, frame in product(range(2), range(6)):
        weight = {
            one: math.exp(
                hand.proposal(scene, frame, one)
                + trust * hand.log_likelihood(scene, frame // 2, one)
            )
            for one in patterns
        }
        found = by_pattern(weighed, weighed.log_probability[scene, frame].exp())
        assert found.keys() == weight.keys()
        for one in patterns:
            assert found[one] == pytest.approx(weight[one] / sum(weight.values()), abs=1e-9)
        for speaker in range(n_speakers):
            talks = sum(p for one, p in found.items() if one[speaker])
            assert weighed.presence[scene, frame, speaker].item() == pytest.approx(talks)


@pytest.mark.parametrize("drawn", [False, True])
def test_powers_add_up_and_half_log_power_is_seen_under_laplace_noise(drawn):
    model, scenes = made_speech(), scenes_of(2, 8, 3)
    draws = None
    if drawn:
        generator = chance(5)
        shapes = (2, 4, 3, TINY.n_latents), (2, 4, TINY.n_background)
        draws = [torch.randn(one, generator=generator, dtype=torch.float64) for one in shapes]
    hand = Hand(model, scenes, draws)
    with torch.no_grad():
        weighed = model.weigh(scenes, chance(5) if drawn else None)
    explanation = weighed.explanation
    for scene, step in product(range(2), range(4)):
        found = by_pattern(weighed, explanation.log_likelihood[scene, step])
        for one, value in found.items():
            assert value == pytest.approx(hand.log_likelihood(scene, step, one), abs=1e-9)
        quiet = divergence(hand.background_latents(scene, step))
        assert explanation.background[scene, step].item() == pytest.approx(quiet)
        for speaker in range(3):
            own = divergence(hand.latents(scene, step, speaker))
            assert explanation.divergence[scene, step, speaker].item() == pytest.approx(own)


def test_without_trust_in_the_likelihood_the_proposal_decides_alone():
    model, scenes = made_speech(), scenes_of()
    with torch.no_grad():
        model.log_trust.fill_(-torch.inf)
        weighed = model.weigh(scenes)
    torch.testing.assert_close(weighed.log_probability, weighed.proposed.log_softmax(2))


def test_the_likelihood_alone_has_a_trust_of_its_own():
    model, scenes = made_speech(), scenes_of()
    with torch.no_grad():
        model.log_trust_alone.fill_(math.log(0.7))
        weighed = model.weigh(scenes)
    likelihood = weighed.explanation.log_likelihood.repeat_interleave(2, 1)
    torch.testing.assert_close(
        weighed.alone.log_softmax(2), (0.7 * likelihood).log_softmax(2), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(
    ("n_speakers", "most", "n_patterns"), [(1, 3, 2), (4, 2, 11), (20, 3, 1351)]
)
def test_no_more_talk_at_once_than_may(n_speakers, most, n_patterns):
    model = made_speech(most_together=most)
    with torch.no_grad():
        weighed = model.weigh(scenes_of(1, 4, n_speakers))
    assert len(weighed.patterns) == n_patterns
    assert weighed.patterns.sum(1).max() == min(most, n_speakers)
    assert len(weighed.patterns.unique(dim=0)) == n_patterns
    assert not weighed.patterns[0].any()
    assert float(weighed.presence.sum(2).max()) <= most + 1e-9
    assert float(weighed.presence.min()) >= 0


def test_patterns_first_listed_in_inference_mode_can_be_trained_with():
    speaker_patterns.cache_clear()
    model, scenes = made_speech().float(), scenes_of(1, 4, 2, dtype=torch.float32)
    with torch.inference_mode():
        model.weigh(scenes)
    model.loss(scenes, chance()).total.backward()
    assert model.log_trust.grad is not None


def test_a_louder_recording_of_the_same_says_the_same():
    """Level is told from the recording's own speech; what counts is power beside that."""
    model, scenes = made_speech(), scenes_of()
    louder = replace(scenes, mel=scenes.mel + 3.0, typical=scenes.typical + 3.0)
    with torch.no_grad():
        torch.testing.assert_close(model.weigh(louder).presence, model.weigh(scenes).presence)


def heard_behind(model, moment):
    """A proposal of which only `moment` matters, and what the streams make of the background."""
    n_steps = moment.shape[1]
    scenes = scenes_of(1, 2 * n_steps, 1, settings=model.settings)
    voice = torch.zeros(1, n_steps, 1, 2 * model.settings.memory, dtype=torch.float64)
    nothing = torch.zeros(1, 2 * n_steps, 1, dtype=torch.float64)
    character = torch.zeros(1, 1, model.settings.profile_width, dtype=torch.float64)
    proposal = Proposal(nothing, nothing, moment, voice, character)
    nobody = torch.zeros(1, 1, dtype=torch.float64)
    with torch.no_grad():
        return model.streams(scenes, proposal, nobody)


def follows_the_first_unit(model):
    """Let the background's first latent be the moment's first unit, all else the prior."""
    layer = model.streams.background_latents
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[0, 0] = 1.0
    return model


def test_a_burst_is_spread_over_all_steps_that_the_background_is_averaged_over():
    model = follows_the_first_unit(made_speech(background_steps=5))
    moment = torch.zeros(1, 20, TINY.trunk_width, dtype=torch.float64)
    moment[0, 9, 0] = 5.0
    found = heard_behind(model, moment).background[0]
    assert found.tolist() == pytest.approx([0.0] * 7 + [0.5] * 5 + [0.0] * 8)


def test_at_the_edges_the_background_is_averaged_over_the_steps_there_are():
    model = follows_the_first_unit(made_speech(background_steps=5))
    moment = torch.zeros(1, 8, TINY.trunk_width, dtype=torch.float64)
    moment[0, 0, 0] = 6.0
    found = heard_behind(model, moment).background[0]
    expected = [0.5 * 2**2, 0.5 * 1.5**2, 0.5 * 1.2**2, 0, 0, 0, 0, 0]
    assert found.tolist() == pytest.approx(expected)


def test_a_background_cannot_follow_what_changes_at_each_step():
    slow, fast = (follows_the_first_unit(made_speech(background_steps=n)) for n in (15, 1))
    moment = torch.zeros(1, 40, TINY.trunk_width, dtype=torch.float64)
    moment[0, ::2, 0], moment[0, 1::2, 0] = 1.0, -1.0
    change = {}
    for name, model in (("slow", slow), ("fast", fast)):
        with torch.no_grad():  # so that the likelihood is that of the latent itself
            for layer in (model.streams.background[0], model.streams.background[2]):
                layer.weight.zero_()
                layer.bias.zero_()
            model.streams.background[0].weight[0, 0] = 1.0
            model.streams.background[0].bias[0] = 2.0
            model.streams.background[2].weight[:, 0] = 1.0
            model.streams.log_scale.zero_()
        loud = heard_behind(model, moment).log_likelihood[0, 8:-8, 0]
        still = heard_behind(model, torch.zeros_like(moment)).log_likelihood[0, 8:-8, 0]
        change[name] = float((loud - still).abs().max())
    assert change["fast"] > 0.5
    assert change["slow"] < change["fast"] / 10
