"""The speech MS-VAE as its users meet it: refused input, training, weights that ship."""

import math
from dataclasses import replace

import pytest
import torch
from tiny_speech import (
    TINY,
    TINY_TABLE,
    as_type,
    chance,
    cut,
    made_speech,
    scenes_of,
    seated,
)

from diarize.errors import BadCall, BadFile
from diarize.models.contract import Batch, Losses, Supply, Trainable
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.model import SpeechMSVAE
from diarize.training.loop import train
from diarize.training.settings import PhaseSettings, TrainSettings
from diarize.training.shipped import describe, load_model, new_model, ship


@pytest.fixture(autouse=True, scope="module")
def optimizers_loaded():
    """What torch loads with its first optimizer takes a second or more, which no test should."""
    torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])


def test_it_can_be_trained_without_knowing_what_it_is():
    model = new_model("msvae_speech", TINY_TABLE, "here", 0)
    assert isinstance(model, SpeechMSVAE)
    assert isinstance(model, Trainable)
    assert model.settings == TINY
    assert describe(model)["name"] == "msvae_speech"
    model.begin("conversations")
    assert model.training
    losses = model.loss(scenes_of(dtype=torch.float32), chance())
    assert isinstance(losses, Losses)
    assert losses.total.requires_grad
    assert not any(part.requires_grad for part in losses.parts.values())


def test_the_end_of_an_epoch_tells_the_trusts_and_the_scale():
    model = SpeechMSVAE(replace(TINY, trust=0.25, scale=0.5))
    with torch.no_grad():
        model.log_trust_alone.fill_(math.log(0.125))
        model.streams.log_scale.copy_(torch.tensor([0.2, 0.4, 0.6, 0.8]).log())
    assert model.end_epoch() == pytest.approx({"trust": 0.25, "trust_alone": 0.125, "b": 0.5})


def test_to_begin_makes_all_weights_trainable_again():
    model = made_speech().requires_grad_(False)
    model.begin("conversations")
    assert model.training
    assert all(one.requires_grad for one in model.parameters())


def test_a_phase_it_does_not_have_is_refused():
    with pytest.raises(BadCall, match="no phase 'experts'; there are conversations"):
        made_speech().begin("experts")


def test_a_batch_of_something_else_is_refused():
    with pytest.raises(BadCall, match="a Batch; this model is trained on Scenes"):
        made_speech().loss(Batch(torch.zeros(2, 3)), chance())


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("n_channels", "9 features of the voice; this model was made for 6"),
        ("n_hidden", "9 hidden values of the segmentation; this model was made for 5"),
        ("n_mels", "12 mel bands; this model was made for 8"),
        ("n_dimensions", "9 values of a profile; this model was made for 7"),
    ],
)
def test_scenes_of_another_size_are_refused_with_both_sizes_named(setting, words):
    size = 12 if setting == "n_mels" else 9
    scenes = scenes_of(settings=replace(TINY, **{setting: size}))
    with pytest.raises(BadCall, match=f"^{words}$"):
        made_speech().weigh(scenes)


def test_an_odd_number_of_frames_is_refused():
    with pytest.raises(BadCall, match="7 frames; an even number is wanted"):
        made_speech().weigh(cut(scenes_of(), 0, 7))


def test_scenes_without_a_place_for_a_speaker_are_refused():
    with pytest.raises(BadCall, match="no place for a speaker; one is wanted"):
        made_speech().weigh(scenes_of(n_speakers=0))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "name",
    [
        *("inputs", "context", "mel", "typical", "activity"),
        *("profile", "heard_s", "similarity", "local", "pause_s"),
    ],
)
def test_what_is_not_finite_is_refused_wherever_it_is(name, value):
    scenes = scenes_of()
    broken = getattr(scenes, name).clone()
    broken.view(-1)[-1] = value
    with pytest.raises(BadCall, match="values that are not finite; leave those out"):
        made_speech().loss(replace(scenes, **{name: broken}), chance())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_bands": 3}, "n_bands = 3; a divisor of n_mels 8 is wanted"),
        ({"most_together": 0}, "most_together = 0; 1 to 4"),
        ({"most_together": 5}, "most_together = 5; 1 to 4"),
        ({"background_steps": 4}, "background_steps = 4; odd"),
        ({"background_steps": -1}, "background_steps = -1; odd"),
        ({"trust": 0.0}, "trust = 0.0; above 0"),
        ({"scale": -1.0}, "scale = -1.0; above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, words):
    with pytest.raises(BadCall, match=words):
        SpeechSettings(**{**TINY_TABLE, **wrong})


@pytest.mark.parametrize("n_frames", [2, 4, 30])
@pytest.mark.parametrize("n_speakers", [1, 2, 5])
def test_scenes_of_any_length_and_cast_are_taken(n_frames, n_speakers):
    model = made_speech(background_steps=15)
    losses = model.loss(scenes_of(1, n_frames, n_speakers), chance())
    losses.total.backward()
    assert bool(losses.total.isfinite())
    assert all(bool(one.grad.isfinite().all()) for one in model.parameters())


@pytest.mark.parametrize(
    "extreme",
    [
        {"mel": -100.0},  # digital silence
        {"mel": 60.0},
        {"similarity": 0.0, "local": 0.0, "heard_s": 0.0, "profile": 0.0},
        {"local": 1.0, "activity": 1.0, "pause_s": 30.0},
        {"activity": 0.0, "pause_s": 0.0, "context": 1e4, "inputs": -1e4},
    ],
)
def test_extreme_scenes_give_probabilities_and_gradients_that_are_finite(extreme):
    model = made_speech().float()
    scenes = as_type(scenes_of(), torch.float32)
    changed = {name: torch.full_like(getattr(scenes, name), v) for name, v in extreme.items()}
    scenes = replace(scenes, **changed)
    total = model.loss(scenes, chance()).total
    total.backward()
    presence = model.weigh(scenes).presence
    assert bool(total.isfinite())
    assert all(bool(one.grad.isfinite().all()) for one in model.parameters())
    assert bool(((presence >= 0) & (presence <= 1 + 1e-5)).all())


def test_two_profiles_of_one_voice_share_what_is_said():
    """Twins with as much speech each are told apart by nothing, and are equally likely."""
    model, scenes = made_speech(), scenes_of(1, 8, 2)
    with torch.no_grad():
        presence = model.weigh(seated(scenes, [0, 0])).presence
    torch.testing.assert_close(presence[..., 0], presence[..., 1])
    assert bool(presence.isfinite().all())


class Hums:
    """A supply of people who hum: four scenes a batch, new ones in each."""

    def n_batches(self, phase):
        return 3

    def epoch(self, phase, epoch, start=0):
        for number in range(start, 3):
            yield hums(3 * epoch + number)


def hums(seed, n_scenes=4):
    return scenes_of(n_scenes, 16, 3, seed=seed, dtype=torch.float32)


def unlearned():
    return new_model("msvae_speech", {**TINY_TABLE, "bound_weight": 0.05}, "here", 0)


def test_it_learns_who_talks_and_so_do_both_halves_of_it():
    model = unlearned()
    model.begin("conversations")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    fresh = hums(1000, n_scenes=8)

    def parts():
        model.eval()
        with torch.no_grad():
            found = model.loss(fresh, chance(1)).parts
        model.train()
        return {name: float(one) for name, one in found.items()}

    before = parts()
    for number in range(45):
        optimizer.zero_grad()
        model.loss(hums(number), chance(number)).total.backward()
        optimizer.step()
    after = parts()
    assert after["cross_entropy"] < 0.3 * before["cross_entropy"]
    assert after["by_proposal"] < 0.3 * before["by_proposal"]
    assert after["by_likelihood"] < before["by_likelihood"] - 0.2
    assert after["bound"] > before["bound"] + 0.5


def test_trained_by_its_recipe_it_ships_and_says_the_same_when_loaded(tmp_path):
    model, supply = unlearned(), Hums()
    assert isinstance(supply, Supply)
    phases = {"conversations": PhaseSettings(epochs=2, rate=0.01)}
    settings = TrainSettings(seed=5, device="cpu", phases=phases, journal_every=1)
    trained = train(model, supply, settings, tmp_path)
    assert trained.steps == 6
    scenes = scenes_of(dtype=torch.float32)
    loaded = load_model(trained.path)
    assert isinstance(loaded, SpeechMSVAE)
    assert not loaded.training
    with torch.no_grad():
        presence = model.eval().weigh(scenes).presence
    torch.testing.assert_close(loaded.weigh(scenes).presence, presence, rtol=0, atol=1e-6)


def test_it_ships_and_loads_again_to_the_same_posterior(tmp_path):
    model, scenes = made_speech().float().requires_grad_(False), scenes_of(dtype=torch.float32)
    ship(tmp_path / "model.safetensors", model.state_dict(), {"model": describe(model)})
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.settings == model.settings
    mine, its = model.weigh(scenes), loaded.weigh(scenes)
    assert torch.equal(mine.log_probability, its.log_probability)
    assert torch.equal(mine.presence, its.presence)


def test_weights_of_other_settings_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    other = describe(made_speech(replace(TINY, memory=5)))
    ship(path, made_speech().state_dict(), {"model": other})
    with pytest.raises(BadFile, match=r"model\.safetensors: "):
        load_model(path)
