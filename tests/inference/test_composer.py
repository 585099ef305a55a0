"""Music out of components' latents, and components of songs: the calls, and bad ones."""

import csv

import numpy as np
import pytest
import soundfile
import torch

from diarize.cli import main
from diarize.corpora.batch import Songs
from diarize.errors import BadCall
from diarize.formats.tracks import read_samples
from diarize.inference.composer import Composer
from diarize.inference.separate import Separator, SeparatorSettings
from diarize.inference.separate_samples import SpreadTrack
from diarize.training.shipped import describe, new_model, ship

NETWORK = {"channels": [8, 12], "kernels": [3], "strides": [2], "groups": 4, "level_width": 8}
TABLE = {
    **{"codec": "stft", "n_fft": 64, "rate_hz": 8000, "encoder": [6], "n_steps": 2},
    **{"decoder": NETWORK, "prior": NETWORK, "operator": "sum", "output": "shares"},
    **{"view": {"kind": "levels", "n_bands": 12}, "guided": True, "window_s": 0.5},
}
RATE_HZ = 8000


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    model = new_model("composable", TABLE, "this test", 0)
    model.begin("prior")
    sound = 0.1 * torch.randn(4, 1, 800, generator=torch.Generator().manual_seed(0))
    model.loss(Songs(sound, stems=sound), torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    ship(path, model.state_dict(), {"model": describe(model)})
    return path


@pytest.fixture
def song(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE_HZ)
    noise[:RATE_HZ] *= np.sin(np.arange(RATE_HZ) / 5)
    soundfile.write(tmp_path / "a.wav", noise, RATE_HZ, subtype="FLOAT")
    return tmp_path / "a.wav"


def test_components_of_a_song_in_windows_add_up_to_it(weights, song):
    tracks = Separator(SeparatorSettings(str(weights)))(song)
    mixture, _ = soundfile.read(song, dtype="float32")
    left = sum(tracks.samples.values())[0] - mixture
    assert list(tracks.samples) == ["component_1", "component_2"]
    assert 10 * np.log10(np.sum(left**2) / np.sum(mixture**2)) < -40


def test_more_samples_say_each_second_how_far_they_lie_apart(weights, song, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["separate", str(song), "-o", str(out), "--model", str(weights), "--seed", "3"]
    assert main([*words, "--samples", "3", "--steps", "2", "--subtype", "float32"]) == 0
    with (out / "a.uncertainty.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["second"], row["component"]) for row in rows] == [
        (str(second), f"component_{number}") for second in range(3) for number in (1, 2)
    ]
    assert all(-80 < float(row["spread_db"]) < 20 for row in rows)
    first = read_samples(out / "a" / "component_1.wav")
    settings = SeparatorSettings(str(weights), steps=2, seed=3, samples=3)
    again = Separator(settings)(song).samples["component_1"]
    np.testing.assert_allclose(first, again, atol=1e-6)


def test_spread_is_the_energy_around_the_mean_over_that_of_the_mean():
    track = SpreadTrack(("low", "high"), 10, 10)
    samples = np.ones((2, 2, 1, 10), np.float32)
    samples[0, 1], samples[1, 1] = 1.1, 0.9
    track.add(samples)
    assert track.rows() == [(0, "low", 0.0, -130.0), (0, "high", 0.0, -20.0)]


def test_windows_that_overlap_share_their_seconds():
    track = SpreadTrack(("one",), 10, 15)
    for _ in range(2):
        track.add(np.ones((2, 1, 1, 20), np.float32))
    assert [row[0] for row in track.rows()] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--components", "5"], "--components is 5; these weights have 2"),
        (["--samples", "0"], "samples is 0; it must be from 1 to 100"),
        (["--steps", "0"], "steps is 0; it must be from 1 to 1000"),
    ],
)
def test_calls_that_cannot_be_are_refused(weights, song, tmp_path, capsys, options, told):
    words = ["separate", str(song), "-o", str(tmp_path / "out"), "--model", str(weights)]
    assert main([*words, *options]) == 2
    assert told in capsys.readouterr().err


def test_a_model_that_draws_nothing_takes_no_steps():
    with pytest.raises(BadCall, match="RQVAE draws nothing; leave steps and samples out"):
        Separator(SeparatorSettings("rqvae", steps=3))


def test_pieces_go_with_what_is_given(weights, song):
    first, again = (Composer(weights).make(2, 0.5, seed=1, given=song) for _ in range(2))
    mixture, _ = soundfile.read(song, dtype="float32")
    given = [np.abs(one[0] - mixture[:4000]).max() < 1e-6 for one in first[0].samples.values()]
    assert sorted(given) == [False, True]
    for one, other in zip(first, again, strict=True):
        for name, samples in one.samples.items():
            np.testing.assert_array_equal(samples, other.samples[name])


def test_lengths_that_cannot_be_are_refused(weights):
    with pytest.raises(BadCall, match="100 seconds; expected"):
        Composer(weights).make(1, 100.0)


def test_pieces_and_variations_are_written_a_folder_each(weights, song, tmp_path, capsys):
    out, words = tmp_path / "new", ["generate", "--model", "composable", "--weights", str(weights)]
    told = ["--n", "2", "--seconds", "0.5", "--given", str(song), "--strength", "0.5"]
    assert main([*words, "-o", str(out), *told]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "001"), str(out / "002")]
    names = ("component_1", "component_2", "mix")
    one, two, mix = (read_samples(out / "002" / f"{name}.wav") for name in names)
    np.testing.assert_allclose(one + two, mix, atol=1e-6)
    assert main([*words, "-o", str(out), "--strength", "0.5"]) == 2
    assert "--strength needs --given" in capsys.readouterr().err


def test_weights_ship_and_music_is_drawn_by_them():
    (piece,) = Composer().make(1, 1.0, seed=1, steps=2)
    samples = np.stack(list(piece.samples.values()))
    assert samples.shape == (2, 1, 22_050)
    assert np.isfinite(samples).all()
    assert (np.square(samples).mean((1, 2)) > 1e-6).all()
