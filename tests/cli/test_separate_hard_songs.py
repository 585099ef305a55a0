"""`diarize separate` on songs that are hardly songs: a moment, silence, a sum above full scale."""

import numpy as np
import pytest
import soundfile
import torch

from diarize.cli import main
from diarize.formats.rttm import read_rttm
from diarize.training.shipped import describe, new_model, ship

TINY = {
    **{"network": "spectrum", "sources": ["low", "high"], "rate_hz": 8000, "window_s": 0.5},
    **{"skips": "quantised", "output": "mixture", "n_stages": 1, "rules": {"n_codes": 4}},
    "spectrum": {
        **{"n_fft": 32, "band_counts": [4], "band_widths": [4], "band_shares": [4], "channels": 4},
        **{"n_band_blocks": 1, "width": 8, "n_blocks": 1, "kernel": 3, "code_groups": 2},
        **{"code_width": 2, "skip_width": 2, "n_skip_stages": 1},
    },
    "codec": {
        **{"hop": 16, "n_blocks": [4], "widths": [4], "stages": [1], "together": 2},
        "rules": {"n_codes": 4},
    },
}
WAYS = [[], ["--sum-to-mix"], ["--output-by", "codes"], ["--two-stems", "low"]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    model = new_model("rqvae", TINY, "this test", 0)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    ship(path, model.state_dict(), {"model": describe(model)})
    return path


def stems_of(song, weights, *words):
    """The call's stems, (stem, time, channel), and who plays when."""
    out = song.parent / "stems"
    given = [str(song), "-o", str(out), "--model", str(weights), "--rttm", *words]
    assert main(["separate", *given, "--subtype", "float32", "--fresh"]) == 0
    paths = sorted((out / song.stem).iterdir())
    assert len(paths) == 2
    stems = np.stack([soundfile.read(one, always_2d=True)[0] for one in paths])
    return stems, read_rttm(out / f"{song.stem}.rttm")


def written(path, samples, rate_hz):
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    return path


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
@pytest.mark.parametrize(("rate_hz", "n_channels"), [(44_100, 2), (22_050, 1)])
def test_fifty_milliseconds_are_a_song(weights, tmp_path, words, rate_hz, n_channels):
    n_samples = rate_hz // 20
    noise = 0.1 * np.random.default_rng(0).standard_normal((n_samples, n_channels))
    stems, _ = stems_of(written(tmp_path / "song.wav", noise, rate_hz), weights, *words)
    assert stems.shape == (2, n_samples, n_channels)
    assert np.isfinite(stems).all()
    if not words or words == ["--sum-to-mix"]:
        assert np.abs(stems).max() > 0.01


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_digital_silence_comes_out_silent_and_nobody_plays(weights, tmp_path, words):
    song = written(tmp_path / "song.wav", np.zeros((12_000, 2)), 44_100)
    stems, played = stems_of(song, weights, *words)
    assert stems.shape == (2, 12_000, 2)
    assert np.abs(stems).max() < 1e-4
    assert not played or not any(len(one) for one in played.values())


def test_a_song_of_one_channel_gives_stems_of_one_and_of_two_gives_two(weights, tmp_path):
    """No option of the verb is for stereo alone: a mono song is not refused, nor doubled."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((4000, 2))
    for n_channels in (1, 2):
        song = written(tmp_path / f"song{n_channels}.wav", noise[:, :n_channels], 8000)
        stems, _ = stems_of(song, weights, "--sum-to-mix")
        assert stems.shape == (2, 4000, n_channels)


def test_a_sum_above_full_scale_is_told_and_kept_by_float(weights, tmp_path, capsys):
    loud = 3 * np.random.default_rng(0).standard_normal((8000, 1))
    song = written(tmp_path / "song.wav", loud, 8000)
    stems, _ = stems_of(song, weights, "--sum-to-mix")
    np.testing.assert_allclose(stems.sum(0), loud, atol=2**-20)
    assert np.abs(stems).max() > 1
    capsys.readouterr()
    out = tmp_path / "held"
    assert main(["separate", str(song), "-o", str(out), "--model", str(weights)]) == 0
    assert "beyond full scale" in capsys.readouterr().err
    assert torch.tensor([soundfile.read(one)[0].max() for one in out.glob("*/*.wav")]).max() <= 1
