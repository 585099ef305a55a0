"""How long shares are fitted to a recording is an option of who separates."""

import numpy as np
import pytest
import torch

from diarize.errors import BadCall
from diarize.inference.separate import Separator, SeparatorSettings
from diarize.models.rqvae.separate import hushed
from diarize.training.shipped import describe, new_model, ship

NETWORK = {"channels": [8, 12], "kernels": [3], "strides": [2], "groups": 4, "level_width": 8}
TABLE = {
    **{"codec": "stft", "n_fft": 64, "rate_hz": 8000, "encoder": [6], "n_steps": 1},
    **{"decoder": NETWORK, "prior": NETWORK, "window_s": 0.5},
}
SHARES = {"operator": "sum", "output": "shares", "view": {"kind": "levels", "n_bands": 12}}


def shipped(path, **more):
    model = new_model("composable", {**TABLE, **more}, "this test", 0)
    ship(path, model.state_dict(), {"model": describe(model)})
    return str(path)


def components(weights, **more):
    song = 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    found = Separator(SeparatorSettings(weights, **more))(song, 8000).samples
    return np.stack(list(found.values()))[:, 0], song


def test_the_call_says_for_how_many_steps_and_else_the_weights_do(tmp_path):
    weights = shipped(tmp_path / "a.safetensors", **SHARES, adapt={"steps": 4, "n_spectra": 2})
    usual, song = components(weights)
    four, none = (components(weights, adapt_steps=steps)[0] for steps in (4, 0))
    np.testing.assert_array_equal(usual, four)
    assert np.abs(usual - none).max() > 1e-3
    for one in (four, none):
        np.testing.assert_allclose(one.sum(0), song, atol=1e-5)


SPECTRUM = {
    **{"n_fft": 64, "band_counts": [8, 4], "band_widths": [2, 4], "band_shares": [2, 2]},
    **{"channels": 4, "n_band_blocks": 1, "width": 8, "n_blocks": 1, "kernel": 3},
    **{"code_groups": 2, "code_width": 4, "skip_width": 2, "n_skip_stages": 1},
}
RQVAE = {
    **{"network": "spectrum", "sources": ["low", "high"], "rate_hz": 8000, "window_s": 0.5},
    **{"n_stages": 1, "skips": "quantised", "output": "mixture", "spectrum": SPECTRUM},
    "codec": {"hop": 32, "n_blocks": [2, 2], "widths": [8, 8], "stages": [1, 1], "together": 2},
    "rules": {"n_codes": 8},
}
FITTED = {"steps": 4, "n_spectra": 2, "starts": 1, "power": 1.0, "kept": 0.5}


def both(tmp_path, name="a", **adapt):
    model = new_model("rqvae", {**RQVAE, "adapt": adapt}, "this test", 0)
    ship(tmp_path / f"{name}.safetensors", model.state_dict(), {"model": describe(model)})
    return str(tmp_path / f"{name}.safetensors")


def test_an_rqvae_s_shares_are_fitted_after_all_passes_and_add_up(tmp_path):
    weights = both(tmp_path, **FITTED)
    song = 0.1 * np.random.default_rng(0).standard_normal(4000).astype(np.float32)  # a window
    made = [
        Separator(SeparatorSettings(weights, adapt_steps=steps))(song, 8000).samples.values()
        for steps in (None, 0)
    ]
    usual, none = (np.stack(list(one))[:, 0] for one in made)
    assert np.abs(usual - none).max() > 1e-3
    model = Separator(SeparatorSettings(weights))._model
    by_hand = model.finish(torch.from_numpy(song[None]), torch.from_numpy(none[None]))[0]
    np.testing.assert_allclose(usual, by_hand.numpy(), atol=1e-5)
    np.testing.assert_allclose(usual.sum(0), song, atol=1e-5)


def test_what_is_kept_of_an_rqvae_s_shares_is_as_it_was(tmp_path):
    alone = components(both(tmp_path, "none"), passes=1)[0]
    kept = components(both(tmp_path, "all", **{**FITTED, "kept": 1.0}), passes=1)[0]
    assert np.abs(kept - alone).max() < 0.02 * np.abs(alone).max()


def test_channels_of_one_song_are_fitted_together_and_swap_with_it(tmp_path):
    model = Separator(SeparatorSettings(both(tmp_path, **FITTED)))._model
    mixture = 0.1 * torch.randn(2, 4000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        heard = model.hear(mixture[:, None])
        every = model.finish(mixture, heard)
        alone = model.finish(mixture[:1], heard[:1])
    assert every.shape == heard.shape
    assert not torch.allclose(every[:1], alone, atol=1e-4)  # the other channel tells of it too


def test_a_stem_that_was_heard_to_be_silent_is_not_made_to_play():
    generator = torch.Generator().manual_seed(0)
    powers = torch.rand(1, 100, 6, generator=generator)
    heard = torch.full((1, 2, 100, 6), 0.5)
    heard[:, 0, 50:], heard[:, 1, 50:] = 1e-4, 1 - 1e-4
    found = torch.rand(1, 2, 100, 6, generator=generator).softmax(1)
    made = hushed(found, heard, powers)
    torch.testing.assert_close(made.sum(1), torch.ones(1, 100, 6))
    torch.testing.assert_close(made[:, :, :28], found[:, :, :28])
    assert float(made[:, 0, 75:].max()) < 1e-3


def test_silence_stays_silence_in_an_adapted_rqvae(tmp_path):
    model = Separator(SeparatorSettings(both(tmp_path, **FITTED)))._model
    with torch.no_grad():
        assert model.separate(torch.zeros(2, 1, 3000)).abs().max() < 1e-6


def test_a_model_without_shares_has_nothing_to_fit(tmp_path):
    weights = shipped(tmp_path / "a.safetensors", output="direct")
    with pytest.raises(BadCall, match="a model without shares to be fitted; leave adapt_steps"):
        Separator(SeparatorSettings(weights, adapt_steps=3))
    with pytest.raises(BadCall, match="adapt_steps is -1; it must be from 0 to 1000"):
        SeparatorSettings(weights, adapt_steps=-1)
