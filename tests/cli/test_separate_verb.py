"""`diarize separate`: the call, what it prints and where, and what it says of bad ones."""

import numpy as np
import pytest
import soundfile
import torch

from diarize.cli import main
from diarize.config import build
from diarize.formats.rttm import read_rttm
from diarize.models.rqvae.config import RQVAESettings
from diarize.models.rqvae.model import RQVAE
from diarize.training.shipped import describe, ship

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


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of a model that was never trained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = RQVAE(build(RQVAESettings, TINY, "this test"))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    ship(path, model.state_dict(), {"model": describe(model)})
    return path


@pytest.fixture
def song(tmp_path):
    """Two seconds in stereo."""
    samples = 0.1 * np.random.default_rng(0).standard_normal((16_000, 2))
    soundfile.write(tmp_path / "song.wav", samples, 8000)
    return tmp_path / "song.wav"


def call(*words):
    return main(["separate", *(str(word) for word in words)])


def test_stems_are_written_and_their_paths_are_all_that_is_printed(weights, song, capsys):
    out = song.parent / "stems"
    assert call(song, "-o", out, "--model", weights, "--rttm", "--sum-to-mix") == 0
    told = capsys.readouterr()
    paths = [out / "song" / "low.wav", out / "song" / "high.wav"]
    assert told.out.splitlines() == [str(path) for path in paths]
    assert "1 done, 0 already there, 0 failed" in told.err
    stems = sum(soundfile.read(path, dtype="float64")[0] for path in paths)
    np.testing.assert_array_equal(stems, soundfile.read(song, dtype="float64")[0])
    assert read_rttm(out / "song.rttm").keys() <= {"song"}
    assert call(song, "-o", out, "--model", weights, "--rttm") == 0
    assert "1 already there (--fresh does them again)" in capsys.readouterr().err


def test_a_conf_says_what_the_call_does_not(weights, song, capsys):
    conf = song.parent / "some.toml"
    conf.write_text(f"[infer]\nmodel = '{weights}'\nstems = ['high']\noutput = 'codes'\n")
    out = song.parent / "stems"
    assert call(song, "-o", out, "--conf", conf, "--format", "flac") == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "song" / "high.flac")]
    assert call(song, "-o", out, "--conf", conf, "--stems", "low") == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "song" / "low.wav")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--stems", "flute"], "no stem 'flute'; there are low, high"),
        (["--two-stems", "flute"], "no stem 'flute'; there are low, high"),
        (["--format", "mp3"], "no format 'mp3'; there are wav, flac, ogg"),
        (["--name", "{stem}.wav"], "lacks {track}"),
        (["--seed", "-1"], "--seed is -1"),
        (["--device", "abacus"], "--device is 'abacus'"),
        (["--format", "ogg", "--sum-to-mix"], "cannot add up exactly as vorbis"),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_line_and_two(weights, song, words, told, capsys):
    assert call(song, "-o", song.parent / "stems", "--model", weights, *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert said.err.count("\n") == 1


def test_stems_among_songs_are_refused(weights, song, capsys):
    assert call(song.parent, "-o", song.parent / "stems", "--model", weights) == 2
    assert "lies in the input" in capsys.readouterr().err


def test_a_file_that_is_no_song_fails_alone(weights, song, capsys):
    (song.parent / "text.wav").write_text("no sound at all")
    out = song.parent / "stems"
    assert call(song.parent / "text.wav", song, "-o", out, "--model", weights) == 1
    told = capsys.readouterr()
    assert "text.wav: cannot be decoded" in told.err
    assert "1 done, 0 already there, 1 failed" in told.err
    assert len(told.out.splitlines()) == 2
