"""What every model of MODELS keeps to, whatever it is: a tiny one of each goes through it all.

A new model needs one entry in `TINY`: tables that together use every setting it has.
"""

import dataclasses
import math
from itertools import product

import pytest
import torch

from diarize.config import build
from diarize.corpora.batch import Scenes, Songs, Views
from diarize.models import MODELS
from diarize.models.contract import Batch, Losses, Separator, Trainable
from diarize.training.shipped import describe, load_model, new_model, ship

N_VALUES, N_DATA = 16, 6
MSVAE = {"n_streams": 3, "n_values": N_VALUES, "n_latents": 2, "decoder_widths": [8]}
SHARED = {**MSVAE, "encoder_widths": [3, 4, 8], "n_patterns": 4, "most_candidates": 2}
SEPARATE = {**MSVAE, "encoder": "separate", "encoder_widths": [8]}
SPEECH = {
    **{"n_channels": 5, "n_hidden": 4, "n_mels": 8, "n_bands": 4, "n_dimensions": 6},
    **{"trunk_width": 8, "speaker_width": 6, "profile_width": 5, "memory": 4},
    **{"n_latents": 3, "n_background": 2, "background_steps": 3, "decoder_width": 6},
    "most_together": 2,
}
TINY = {
    "msvae": [
        SHARED,
        {**SHARED, "gain_spread": 0.2, "noise": "gaussian", "readout": "weighed"},
        {**SHARED, "training_precision": "bfloat16", "grow": False, "polish_steps": 3},
        {**SEPARATE, "posterior": "exact", "divergence": "full", "fresh_encoders": True},
        {**SEPARATE, "posterior": "truncated", "normalised": True, "n_patterns": 4},
    ],
    "msvae_speech": [
        SPEECH,
        {**SPEECH, "cross_weight": 0.2, "augment_weight": 0.2, "temperature": 0.2},
    ],
    "vaebss": [{"n_pixels": N_VALUES, "n_sources": 2, "n_latent": 2, "widths": [8, 6]}],
    "digit_classifier": [
        {"side": 4, "n_classes": 3, "channels": [4, 4], "kernel": 3, "n_hidden": 8}
    ],
}
TINY["instrument_classifier"] = [
    {
        **{"sources": ["low", "high"], "rate_hz": 8000, "window_s": 0.03, "n_fft": 32, "hop": 16},
        **{"n_mels": 8, "widths": [4, 6], "n_hidden": 8, "dropout": 0.1, "mixed": 0.3},
    }
]
FEW = {"n_codes": 6, "k_means_rounds": 2, "refresh_every": 3}
CODEC = {
    **{"hop": 16, "n_blocks": [2, 2], "widths": [4, 4], "stages": [2, 1], "together": 2},
    "rules": FEW,
}
WAVEFORM = {
    "sources": ["low", "high"],
    "n_stages": 2,
    "rules": {**FEW, "learning": "gradient"},
    "waveform": {
        **{"channels": [3, 4], "kernels": [3, 4], "strides": [1, 2]},
        **{"n_recurrent": 1, "dropout": 0.1},
    },
    "losses": {"square": 1.0, "mel": 1e-6, "ratio": 0.0},
}
SPECTRUM = {
    **{"network": "spectrum", "sources": ["low", "high"], "n_stages": 2, "rules": FEW},
    **{"skips": "quantised", "output": "mixture", "codec": CODEC},
    "spectrum": {
        **{
            "n_fft": 32,
            "band_counts": [2, 2],
            "band_widths": [4, 4],
            "band_shares": [4, 2],
            "channels": 4,
            "width": 8,
        },
        **{"n_blocks": 2, "kernel": 3, "code_groups": 2, "code_width": 3, "skip_width": 2},
        "n_skip_stages": 2,
    },
}
TINY["rqvae"] = [
    {**WAVEFORM, "window_s": 0.01, "offset_quirk": True},
    {**WAVEFORM, "skips": "none", "n_stages": 1},
    {**WAVEFORM, "skips": "none", "bottleneck": "gaussian", "training_precision": "bfloat16"},
    {**SPECTRUM, "losses": {"si_sdr": 0.1, "spectra": 0.1}, "shaping_db": 3.0},
    {**SPECTRUM, "output": "codes", "skips": "none"},
    {**SPECTRUM, "skips": "plain", "bottleneck": "gaussian", "losses": {"divergence": 1e-3}},
]
STEMS = {
    "sources": ["low", "high"],
    "hop": 16,
    "n_fft": 32,
    "n_bands": 6,
    "width": 8,
    "n_blocks": 1,
}
TOLD = {
    **{"rate_hz": 8000, "n_frames": 16, "width": 16, "n_blocks": 2, "n_heads": 2},
    **{"depth_width": 16, "n_depth_blocks": 1, "n_depth_heads": 2},
    "codec": {**STEMS, "kernel": 3, "code_width": 4, "n_stages": 2, "n_rounds": 2, "rules": FEW},
}
TINY["rqtransformer"] = [
    TOLD,
    {**TOLD, "depth_share": 1.0, "infill": 0.0, "any_stem_first": 0.0, "commitment": 1.0}
    | {"training_precision": "bfloat16"},
]
SMALL_NETWORK = {
    **{"channels": [8, 12], "kernels": [3], "strides": [2], "heads_of": 6, "groups": 4},
    **{"dropout": 0.1, "level_width": 8},
}
COMPONENTS = {
    **{"codec": "stft", "n_fft": 32, "rate_hz": 8000, "encoder": [6], "n_steps": 3},
    **{"decoder": SMALL_NETWORK, "prior": {**SMALL_NETWORK, "attention": False}},
}
LEVELS = {"kind": "levels", "n_bands": 6}
TINY["composable"] = [
    {**COMPONENTS, "view": {"power": 0.5}},
    {**COMPONENTS, "form": "difference", "operator": "sum", "consistent": False},
    {**COMPONENTS, "view": {"normalised": False}, "operator": "max", "output": "shares"},
    {**COMPONENTS, "view": LEVELS, "operator": "sum", "output": "shares", "guided": True}
    | {"losses": {"steady": [0.1, 0], "even": [0, 0.1], "alone": 0.3, "whole": [False, True]}},
    {**COMPONENTS, "view": LEVELS, "operator": "mean", "output": "shares", "width": 2}
    | {"sharpness": 1.5},
]
BETAS = {
    **{"n_values": N_VALUES, "n_latents": 3, "widths": [4, 4], "n_hidden": 8, "n_features": 4},
    **{"lowest_beta": 0.1, "highest_beta": 100.0, "n_knots": 4},
}
WAY_DOWN = {"n_steps": 12, "width": 8, "n_blocks": 1}
TINY["multibeta"] = [
    {**BETAS, "diffusion": WAY_DOWN},
    {**BETAS, "spacing": "linear", "scale": 0.2, "diffusion": {**WAY_DOWN, "delta": False}}
    | {"first_betas": [1.0, 10.0], "widening": [0, 2]},
    {**BETAS, "highest_beta": 0.1, "noise": "image", "rescaling": 0.5},
    {**BETAS, "n_planes": 4, "widths": [4], "diffusion": {**WAY_DOWN, "schedule": "sinusoidal"}},
]
SMALL_VIEWS = {
    "views": [{"channels": 1, "side": 2, "widths": [3, 4], "copies": 4}],
    **{"n_shared": 2, "n_private": 3},
}
NOISED = {"weight": 0.1, "n_steps": 20, "width": 8, "n_sampling": 4}
TINY["idmvae"] = [
    SMALL_VIEWS,
    {**SMALL_VIEWS, "joint": "product", "cross_weight": 0.0, "augment_weight": 0.0, "beta": 1.0},
    {**SMALL_VIEWS, "posterior": "laplace", "prior_scale": 1.0, "partner": "prior"},
    {**SMALL_VIEWS, "partner": "diffusion", "gaussian_prior": False, "diffusion": NOISED},
    {
        **SMALL_VIEWS,
        "views": [
            {"channels": 1, "side": 2, "widths": [3, 4], "weight": 0.5},
            {"kind": "vector", "n_values": 8, "widths": [4], "learned_scale": True},
            {"kind": "words", "n_words": 3, "length": 4, "widths": [4, 5]}
            | {"likelihood": "categorical"},
        ],
        **{"augment": "match", "temperature": 0.5, "allow_missing": True},
        "diffusion": {**NOISED, "stop_gradient": True},
    },
]
TINY["view_judge"] = [
    {"n_views": 4, "n_planes": 1, "side": 2, "n_shared": 3, "n_private": 2}
    | {"widths": [4], "n_hidden": 5}
]
EACH = [(name, number) for name, tables in TINY.items() for number in range(len(tables))]


@pytest.fixture(autouse=True, scope="module")
def optimizers_loaded():
    """What torch loads with its first optimizer takes a second or more, which no test should."""
    torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def made(name, number, seed=0):
    return new_model(name, TINY[name][number], "the table of this test", seed)


def scenes(n_data, seed):
    """Three people, of whom one or two talk at once; of every other scene it is known who."""
    generator, n_frames = chance(seed), 12

    def noise(*shape):
        return torch.randn(n_data, *shape, generator=generator)

    talks = (torch.arange(n_frames)[:, None] // 4 == torch.arange(3)).long()
    talks[4:6, 0] = 1
    patterns = talks.expand(n_data, -1, -1).clone()
    patterns[1::2] = -1
    is_frame = torch.ones(n_data, n_frames, dtype=torch.bool)
    is_frame[-1, 8:] = False
    return Scenes(
        inputs=noise(n_frames, 5),
        patterns=patterns,
        context=noise(n_frames, 4),
        mel=noise(n_frames, 8) + 2 * talks.sum(1, keepdim=True),
        typical=noise(8),
        activity=torch.stack([talks.sum(1) > 0, talks.sum(1) > 1], 1)
        .float()
        .expand(n_data, -1, -1),
        profile=torch.nn.functional.normalize(noise(3, 6), dim=2),
        heard_s=noise(3).exp(),
        similarity=0.2 * noise(n_frames, 3, 3) + 0.3 * talks[..., None],
        local=0.8 * talks.float().expand(n_data, -1, -1),
        is_there=torch.ones(n_data, 3, dtype=torch.bool),
        is_frame=is_frame,
        pause_s=torch.full((n_data,), 0.5),
        places=torch.nn.functional.normalize(noise(3, 2, 6), dim=3),
        places_s=noise(3, 2).exp(),
        owner=torch.arange(3 * n_data).view(n_data, 3),
    )


def songs(n_data, seed):
    """A low tone and a high one, in each datum as loud as chance has it; in one, one is silent."""
    at = torch.arange(240) / 8000
    tones = torch.stack([torch.sin(2 * math.pi * rate * at) for rate in (500, 3000)])
    stems = (0.1 + 0.2 * torch.rand(n_data, 2, 1, generator=chance(seed))) * tones
    stems[0, 0] = 0
    return Songs(stems.sum(1, keepdim=True), stems=stems)


def views(n_data, seed):
    """Four views of four values that follow their class; every other datum lacks none."""
    digit = torch.arange(n_data) % 3
    own = torch.arange(n_data)[:, None] + torch.arange(4) & 1
    values = torch.eye(3, 16)[digit] + own.repeat_interleave(4, 1).float()
    noise = 0.05 * torch.rand(n_data, N_VALUES, generator=chance(seed))
    return Views(values + noise, truths=torch.cat([digit[:, None], own], 1))


def rows(batch, chosen):
    """Some data of a batch, with all that is known of them."""
    values = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    there = {name: one[chosen] for name, one in values.items() if one is not None}
    return dataclasses.replace(batch, **there)


def batch_of(phase, n_data=N_DATA, seed=1):
    """What a phase may be trained on: bars of light, alone and labelled, or superposed; scenes."""
    if phase == "conversations":
        return scenes(n_data, seed)
    if phase in (
        "instruments",
        "separate",
        "codec",
        "counts",
        "codes",
        "compose",
        "visit",
        "prior",
    ):
        return songs(n_data, seed)
    if phase == "views":
        return views(n_data, seed)
    generator = chance(seed)
    bars = torch.eye(4)[:3].repeat_interleave(N_VALUES // 4, 1)
    noise = 0.05 * torch.rand(n_data, N_VALUES, generator=generator)
    if phase == "experts":
        labels = torch.arange(n_data) % 3
        return Batch(bars[labels] + noise, labels)
    on = torch.arange(n_data)[:, None] + 1 >> torch.arange(3) & 1
    patterns = torch.where(torch.arange(n_data)[:, None] % 2 == 0, on, -1)
    return Batch(on.float() @ bars + noise, patterns=patterns)


def in_use(model, n_data=N_DATA):
    """What a model is asked of when trained."""
    if isinstance(model, Separator) or hasattr(model, "surprise"):
        return songs(n_data, 1)
    if model.phases == ("instruments",):
        return songs(n_data, 1)
    if model.phases == ("views",):
        return views(n_data, 1)
    return batch_of("conversations" if hasattr(model, "weigh") else "mixtures", n_data)


def answer(model, batch):
    """All that a model says of a batch in use, a row for each datum."""
    inputs = batch.inputs
    with torch.no_grad():
        if isinstance(model, Separator):
            return model.separate(inputs).flatten(1)
        if hasattr(model, "surprise"):
            return model.surprise(batch.stems)[:, None]
        if model.phases == ("instruments",):
            return model.classify(inputs[:, 0])
        if hasattr(model, "weigh"):
            return model.weigh(batch).presence.flatten(1)
        if hasattr(model, "denoise"):
            return model.reconstruct(inputs)
        if hasattr(model, "encode_views"):
            found = model.encode_views(inputs)
            shown = model.decode_view(1, found.joint, found.private_mean[:, 1])
            told = [getattr(found, field.name) for field in dataclasses.fields(found)]
            return torch.cat([shown, *(one.flatten(1) for one in told)], 1)
        if not hasattr(model, "attribute"):
            return model.classify(inputs)
        found = model.attribute(inputs, getattr(model.settings, "n_sources", None))
        parts = [getattr(found, field.name) for field in dataclasses.fields(found)]
        return torch.cat(
            [one.flatten(1) if one.ndim > 1 else one[:, None] for one in parts if one is not None],
            1,
        )


def trained(model, phase, n_steps=15, rate=0.01):
    """Losses of a few steps on one and the same batch and chance."""
    model.begin(phase)
    parameters = [one for one in model.parameters() if one.requires_grad]
    optimizer, batch, losses = torch.optim.Adam(parameters, lr=rate), batch_of(phase), []
    for _ in range(n_steps):
        optimizer.zero_grad()
        total = model.loss(batch, chance(2)).total
        total.backward()
        optimizer.step()
        losses.append(total.item())
    return losses


def test_every_model_is_tried_here():
    assert TINY.keys() == MODELS.keys()


@pytest.mark.parametrize(("name", "number"), EACH)
def test_it_can_be_trained_without_knowing_what_it_is(name, number):
    model = made(name, number)
    assert isinstance(model, torch.nn.Module)
    assert isinstance(model, Trainable)
    assert describe(model)["name"] == name
    for phase in model.phases:
        model.begin(phase)
        losses = model.loss(batch_of(phase), chance())
        assert isinstance(losses, Losses)
        assert losses.total.shape == ()
        assert losses.total.requires_grad
        assert not any(part.requires_grad for part in losses.parts.values())
        told = model.end_epoch()
        assert all(math.isfinite(value) for value in told.values())
        assert all(type(value) is float for value in told.values())


@pytest.mark.parametrize(("name", "number"), EACH)
def test_the_loss_falls_on_one_batch_in_each_phase(name, number):
    model = made(name, number)
    for phase in model.phases:
        losses = trained(model, phase)
        assert all(math.isfinite(one) for one in losses)
        assert losses[-1] < losses[0] - 0.01


@pytest.mark.parametrize(("name", "number"), EACH)
def test_every_parameter_to_be_trained_has_a_finite_gradient_and_no_other_has(name, number):
    model = made(name, number)
    for phase in model.phases:
        model.zero_grad(set_to_none=True)
        model.begin(phase)
        model.loss(batch_of(phase), chance()).total.backward()
        for parameter_name, one in model.named_parameters():
            assert (one.grad is not None) == one.requires_grad, (phase, parameter_name)
            if one.grad is not None:
                assert bool(one.grad.isfinite().all()), (phase, parameter_name)


@pytest.mark.parametrize(("name", "number"), EACH)
def test_a_row_of_a_batch_equals_the_row_alone(name, number):
    model = made(name, number)
    trained(model, model.phases[0], n_steps=3)
    model.eval()
    batch = in_use(model)
    together = answer(model, batch)
    for row in range(N_DATA):
        alone = answer(model, rows(batch, [row]))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "number"), EACH)
def test_batches_of_other_sizes_are_taken(name, number):
    model = made(name, number)
    for phase, n_data in product(model.phases, (2, 5)):
        model.begin(phase)
        assert bool(model.loss(batch_of(phase, n_data), chance()).total.isfinite())
        assert len(answer(model, batch_of(phase, n_data))) == n_data


@pytest.mark.parametrize(("name", "number"), EACH)
def test_the_same_seed_gives_the_same(name, number):
    runs = []
    for seed in (0, 0, 1):
        model = made(name, number, seed)
        losses = [one for phase in model.phases for one in trained(model, phase, 3)]
        runs.append((losses, model.state_dict()))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(one, runs[1][1][key]) for key, one in runs[0][1].items())
    assert runs[0][0] != runs[2][0]


@pytest.mark.parametrize(("name", "number"), EACH)
def test_torch_s_own_chance_is_left_as_it_is(name, number):
    model = made(name, number)
    before = torch.get_rng_state()
    for phase in model.phases:
        model.begin(phase)
        model.loss(batch_of(phase), chance()).total.backward()
        model.end_epoch()
    answer(model, in_use(model))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "number"), EACH)
def test_saved_and_loaded_it_says_the_same(tmp_path, name, number):
    model = made(name, number)
    for phase in model.phases:
        trained(model, phase, n_steps=2)
        model.end_epoch()
    batch = in_use(model)
    ship(tmp_path / "model.safetensors", model.state_dict(), {"model": describe(model)})
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.settings == model.settings
    model.eval().requires_grad_(False)  # recurrent layers round otherwise where a gradient may come
    assert torch.equal(answer(loaded, batch), answer(model, batch))
    for phase in model.phases:  # and can be trained further
        wanted = []
        for one in (model, loaded):
            one.begin(phase)
            wanted.append([name for name, p in one.named_parameters() if p.requires_grad])
        assert wanted[0] == wanted[1] != []


@pytest.mark.parametrize(("name", "number"), EACH)
def test_what_was_begun_again_goes_on_from_its_state(name, number):
    """All that changes in training is in the `state_dict`, sums of the epoch included."""
    first, second = made(name, number), made(name, number, seed=9)
    for phase in first.phases:
        trained(first, phase, n_steps=2)
        second.begin(phase)
        second.load_state_dict(first.state_dict())
        assert first.end_epoch() == second.end_epoch()
        again = [one.loss(batch_of(phase), chance(3)).total.item() for one in (first, second)]
        assert again[0] == again[1]


def watched(settings):
    """The same settings, and the names of those that are read from now on."""
    read = set()

    class Watched(type(settings)):
        def __getattribute__(self, field):
            read.add(field)
            return super().__getattribute__(field)

    told = object.__new__(Watched)
    for field in dataclasses.fields(settings):
        object.__setattr__(told, field.name, getattr(settings, field.name))
    read.clear()
    return told, read


@pytest.mark.parametrize("name", TINY)
def test_every_setting_is_read(name):
    every_one = set()
    for number, table in enumerate(TINY[name]):
        kind = type(made(name, number))
        settings, read = watched(build(kind.settings_type, table, "x"))
        model = kind(settings)
        for phase in model.phases:
            model.begin(phase)
            model.loss(batch_of(phase), chance())
            model.end_epoch()
        answer(model, in_use(model))
        every_one |= read
    fields = {field.name for field in dataclasses.fields(settings)}
    assert fields - every_one <= {"version"}  # which is read as settings are made


@pytest.mark.parametrize(("name", "number"), EACH)
def test_a_phase_it_does_not_have_is_refused(name, number):
    with pytest.raises(ValueError, match=r"no phase 'third'; there (is|are) "):
        made(name, number).begin("third")
