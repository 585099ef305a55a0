"""A second separator heard beside the first counts where the first hears anything."""

import numpy as np
import pytest

from diarize.errors import BadCall, BadFile
from diarize.inference.separate import Separator, SeparatorSettings
from diarize.inference.separate_second import faintness, joined
from diarize.models.contract import FAINT_DB
from diarize.models.rqvae.config import SecondSettings
from diarize.training.shipped import describe, new_model, ship

RATE_HZ = 8000
SPECTRUM = {
    **{"n_fft": 64, "band_counts": [8, 4], "band_widths": [2, 4], "band_shares": [2, 2]},
    **{"channels": 4, "n_band_blocks": 1, "width": 8, "n_blocks": 1, "kernel": 3},
    **{"code_groups": 2, "code_width": 4, "skip_width": 2, "n_skip_stages": 1},
}
TABLE = {
    **{"sources": ["low", "high"], "rate_hz": RATE_HZ, "window_s": 0.5, "n_stages": 1},
    "rules": {"n_codes": 8},
}
CODEC = {"hop": 32, "n_blocks": [2, 2], "widths": [8, 8], "stages": [1, 1], "together": 2}
OURS = {"network": "spectrum", "output": "mixture", "spectrum": SPECTRUM, "codec": CODEC}
WAVEFORM = {"channels": [4, 8], "kernels": [3, 4], "strides": [1, 4], "n_recurrent": 1}
OPEN = {"network": "waveform", "bottleneck": "none", "waveform": WAVEFORM}


def shipped(path, seed=0, name="rqvae", **more):
    model = new_model(name, {**TABLE, **more} if name == "rqvae" else more, "this test", seed)
    ship(path, model.state_dict(), {"model": describe(model)})
    return str(path)


def noise(n_samples=RATE_HZ):
    return 0.1 * np.random.default_rng(0).standard_normal((1, n_samples)).astype(np.float32)


def stems(weights, **more):
    found = Separator(SeparatorSettings(weights, passes=1, **more))(noise(), RATE_HZ)
    return np.stack([found.samples[name][0] for name in ("low", "high")])


def test_the_answer_is_the_mean_of_both_in_their_shares(tmp_path):
    second = shipped(tmp_path / "b.safetensors", **OPEN)
    own = {"weights": second, "share": 0.25}
    weights = shipped(tmp_path / "a.safetensors", **OURS, second=own)
    alone, other = stems(weights, second="none"), stems(second)
    assert np.abs(alone - other).max() > 1e-3
    np.testing.assert_allclose(stems(weights), 0.75 * alone + 0.25 * other, atol=1e-5)


def test_stems_of_the_second_are_known_by_their_names(tmp_path):
    second = shipped(tmp_path / "b.safetensors", **OPEN)
    turned = shipped(tmp_path / "c.safetensors", **{**OPEN, "sources": ["high", "low"]})
    weights = shipped(tmp_path / "a.safetensors", **OURS)
    straight, crossed = (stems(weights, second=name) for name in (second, turned))
    other, alone = stems(turned), stems(weights, second="none")
    np.testing.assert_allclose(crossed, 0.7 * alone + 0.3 * other, atol=1e-5)
    assert np.abs(straight - crossed).max() > 1e-4


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sources": ["low", "middle"]}, "has the stems low, middle; expected low, high"),
        ({"rate_hz": 16000}, "hears 16000 Hz; expected 8000"),
    ],
)
def test_a_second_of_other_stems_or_another_rate_is_refused(tmp_path, wrong, named):
    second = shipped(tmp_path / "b.safetensors", **{**OPEN, **wrong})
    weights = shipped(tmp_path / "a.safetensors", **OURS)
    with pytest.raises(BadCall, match=named):
        stems(weights, second=second)


def test_a_second_that_separates_nothing_and_a_share_of_nothing_are_refused(tmp_path):
    images = shipped(tmp_path / "b.safetensors", name="digit_classifier")
    weights = shipped(tmp_path / "a.safetensors", **OURS)
    with pytest.raises(BadFile, match="which separates nothing"):
        stems(weights, second=images)
    with pytest.raises(BadCall, match=r"share = 0\.0; between 0 and 1"):
        SecondSettings(share=0.0)


def test_where_the_first_hears_a_stem_faint_it_is_heard_alone():
    mixture = np.concatenate([noise(), noise()], axis=1)
    first = np.stack([mixture, mixture * 10 ** ((FAINT_DB - 30) / 20)])
    first[1, :, RATE_HZ:] = 0.5 * mixture[:, RATE_HZ:]  # plays in the second half
    made = joined(mixture, first, np.zeros_like(first), 0.4, RATE_HZ)
    np.testing.assert_allclose(made[0], 0.6 * mixture, rtol=1e-3)
    np.testing.assert_allclose(made[1, :, -100:], 0.6 * first[1, :, -100:], rtol=1e-3)


def test_what_is_faint_is_told_from_two_seconds_around():
    mixture = noise(10 * RATE_HZ)
    stem = mixture * 1e-3
    stem[:, 5 * RATE_HZ :] = mixture[:, 5 * RATE_HZ :]
    found = faintness(mixture, stem[None], RATE_HZ)[0, 0]
    assert found[: 3 * RATE_HZ].min() > 0.999
    assert found[6 * RATE_HZ :].max() < 1e-3
    assert np.all(np.diff(found[3 * RATE_HZ : 6 * RATE_HZ]) <= 1e-6)


def test_silence_is_joined_to_silence():
    nothing = np.zeros((1, RATE_HZ), np.float32)
    made = joined(nothing, nothing[None], nothing[None], 0.4, RATE_HZ)
    np.testing.assert_array_equal(made, nothing[None])
