"""Songs taken apart by blind methods, to files."""

import json

import numpy as np
import pytest
import soundfile

from diarize.cli import main
from diarize.errors import BadCall, BadFile
from diarize.inference.separate_blind import BlindSeparator, BlindSettings
from diarize.inference.separate_input import song_of_array

RATE_HZ = 22050


@pytest.fixture
def song():
    """Two seconds (channel, time) of a low tone, and a click four times a second."""
    at_s = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = 0.2 * np.sin(2 * np.pi * 220 * at_s)
    clicks = np.zeros_like(tone)
    clicks[:: RATE_HZ // 4] = 0.9
    return np.stack([tone + clicks, tone]).astype(np.float32)


@pytest.mark.parametrize("model", ["nmf", "hpss", "random"])
def test_components_are_as_the_song_and_add_up_to_it(song, model):
    separator = BlindSeparator(BlindSettings(model))
    (piece,) = separator.stream(song_of_array(song, RATE_HZ))
    assert piece.stems.shape == (2, 2, song.shape[1])
    np.testing.assert_allclose(piece.stems.sum(axis=0), song, atol=1e-5)
    assert separator.stems == ("component_1", "component_2")


def test_hpss_has_the_tone_in_one_component_and_the_clicks_in_the_other(song):
    (piece,) = BlindSeparator(BlindSettings("hpss")).stream(song_of_array(song, RATE_HZ))
    lasting, striking = piece.stems[:, 0]
    assert np.corrcoef(lasting, song[1])[0, 1] > 0.95
    assert np.corrcoef(striking, song[0] - song[1])[0, 1] > 0.8


def test_another_seed_is_another_chance(song):
    made = [
        next(BlindSeparator(BlindSettings("random", seed=n)).stream(song_of_array(song, RATE_HZ)))
        for n in (0, 0, 1)
    ]
    np.testing.assert_array_equal(made[0].stems, made[1].stems)
    assert not np.array_equal(made[0].stems, made[2].stems)


@pytest.mark.parametrize("n_samples", [1, 30, 1000])
def test_a_song_shorter_than_a_window_is_taken_apart_too(n_samples):
    mixture = np.random.default_rng(0).standard_normal((1, n_samples)).astype(np.float32)
    (piece,) = BlindSeparator(BlindSettings("nmf", 3)).stream(song_of_array(mixture, RATE_HZ))
    np.testing.assert_allclose(piece.stems.sum(axis=0), mixture, atol=1e-4)


def test_a_song_too_long_to_be_heard_as_a_whole_is_refused_by_name():
    song = song_of_array(np.zeros((1, 601 * 1000), np.float32), 1000, "long.wav")
    with pytest.raises(BadFile, match=r"long\.wav: longer than 10 minutes"):
        next(BlindSeparator(BlindSettings("random")).stream(song))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"components": 0}, "components = 0; expected 1 to 8"),
        ({"model": "hpss", "components": 3}, "components = 3; hpss gives 2"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(wrong, told):
    with pytest.raises(BadCall, match=told):
        BlindSettings(**wrong)


def test_the_verb_writes_components_as_every_separator_does(song, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", song.T, RATE_HZ)
    call = ["separate", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), "--model", "random"]
    assert main([*call, "--components", "3", "--sum-to-mix", "--rttm"]) == 0
    paths = capsys.readouterr().out.split()
    assert [path.rpartition("/")[2] for path in paths] == [f"component_{n}.wav" for n in (1, 2, 3)]
    stems = [soundfile.read(path, dtype="int16")[0].astype(int) for path in paths]
    mixture = soundfile.read(tmp_path / "a.wav", dtype="int16")[0]
    np.testing.assert_array_equal(sum(stems), mixture)
    assert (tmp_path / "out" / "a.rttm").is_file()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "nmf", "--stems", "drums"], "--stems is for trained weights"),
        (["--model", "hpss", "--passes", "2"], "--passes is for trained weights"),
        (["--model", "nmf", "--adapt-steps", "3"], "--adapt-steps is for trained weights"),
        (["--passes", "6"], "passes is 6; it must be from 1 to 5"),
        (["--components", "2"], "--components is 2; these weights have 4"),
        (["--model", "nmf", "--components", "9"], "components = 9; expected 1 to 8"),
    ],
)
def test_options_that_do_not_go_together_are_refused(song, tmp_path, capsys, options, told):
    soundfile.write(tmp_path / "a.wav", song.T, RATE_HZ)
    assert main(["separate", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), *options]) == 2
    assert told in capsys.readouterr().err


def test_components_are_named_beside_their_files_unless_that_is_not_wanted(song, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", song.T, RATE_HZ)
    call = ["separate", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), "--model", "hpss"]
    assert main([*call, "--no-names"]) == 0
    assert not (tmp_path / "out" / "a.names.json").exists()
    assert main(call) == 0  # not done before: the names were lacking
    facts = json.loads((tmp_path / "out" / "a.names.json").read_text())
    assert list(facts["components"]) == ["component_1", "component_2"]
    for name, one in facts["components"].items():
        sure = one["best"] is not None and one["probability"] >= facts["least_probability"]
        assert one["label"] == (one["best"] if sure else name)
    shown = capsys.readouterr().err
    assert "a: component_1: " in shown
    assert main(call) == 0
    assert "1 already there" in capsys.readouterr().err
