"""How long shares are fitted to a recording is an option of who separates."""

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.inference.separate import Separator, SeparatorSettings
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


def test_a_model_without_shares_has_nothing_to_fit(tmp_path):
    weights = shipped(tmp_path / "a.safetensors", output="direct")
    with pytest.raises(BadCall, match="a model without shares to be fitted; leave adapt_steps"):
        Separator(SeparatorSettings(weights, adapt_steps=3))
    with pytest.raises(BadCall, match="adapt_steps is -1; it must be from 0 to 1000"):
        SeparatorSettings(weights, adapt_steps=-1)
