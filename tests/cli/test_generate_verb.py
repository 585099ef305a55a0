"""`diarize generate` and `diarize codes score`: the calls, what they print, and bad ones."""

import json

import numpy as np
import pytest
import soundfile

from diarize.cli import main
from diarize.formats.code_files import read_codes
from diarize.formats.tracks import read_samples
from diarize.training.shipped import describe, new_model, ship

TABLE = {
    **{"rate_hz": 8000, "n_frames": 16, "width": 16, "n_blocks": 1, "n_heads": 2},
    **{"depth_width": 16, "n_depth_blocks": 1, "n_depth_heads": 2},
    "codec": {
        **{"sources": ["low", "high"], "hop": 512, "n_fft": 2048, "n_bands": 8, "width": 8},
        **{"n_blocks": 1, "code_width": 4, "n_stages": 2, "n_rounds": 2, "rules": {"n_codes": 5}},
    },
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    model = new_model("rqtransformer", TABLE, "this test", 0)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    ship(path, model.state_dict(), {"model": describe(model)})
    return path


@pytest.fixture
def song(tmp_path):
    place = tmp_path / "songs" / "first"
    place.mkdir(parents=True)
    for seed, name in enumerate(("low", "high")):
        noise = 0.1 * np.random.default_rng(seed).standard_normal(20_000)
        soundfile.write(place / f"{name}.wav", noise, 8000)
    return place


def call(*words):
    return main(["generate", *(str(word) for word in words)])


def test_a_folder_a_piece_is_written_and_printed(weights, tmp_path, capsys):
    out = tmp_path / "new"
    words = ("--weights", weights, "--n", 2, "--seconds", 0.4, "--seed", 7, "--top-p", 0.9)
    assert call("-o", out, *words) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "001"), str(out / "002")]
    low, high, mix = (read_samples(out / "002" / f"{name}.wav") for name in ("low", "high", "mix"))
    assert mix.shape == (1, 7 * 512)
    assert np.abs(low + high - mix).max() < 1e-6
    codes = read_codes(out / "001" / "music.codes").codes
    assert call("-o", tmp_path / "again", *words) == 0
    assert np.array_equal(read_codes(tmp_path / "again" / "001" / "music.codes").codes, codes)
    assert call("-o", tmp_path / "else", *words, "--seed", 8) == 0
    assert not np.array_equal(read_codes(tmp_path / "else" / "001" / "music.codes").codes, codes)


def test_a_beginning_a_gap_and_a_stem_are_made_of_given_stems(weights, song, tmp_path):
    words = ("--weights", weights, "--given", song)
    assert call("-o", tmp_path / "on", *words, "--given-seconds", 0.3) == 0
    assert call("-o", tmp_path / "gap", *words, "--impute", "0.2:0.4", "--temperature", 0) == 0
    assert call("-o", tmp_path / "stem", *words, "--missing", "high") == 0
    found = {
        one: read_codes(tmp_path / one / "001" / "music.codes").codes
        for one in ("on", "gap", "stem")
    }
    assert {one.shape for one in found.values()} == {(4, 16)}
    assert np.array_equal(found["gap"][:2, 7:], found["stem"][:2, 7:])  # neither made anew
    assert np.array_equal(found["gap"][:2, :3], found["stem"][:2, :3])
    assert np.array_equal(found["gap"][:, :3], found["on"][:, :3])
    given = tmp_path / "gap" / "001" / "music.codes"
    assert (
        call("-o", tmp_path / "more", "--weights", weights, "--given", given, "--impute", "0:1")
        == 0
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--impute", "1:2"], "--impute, --missing and --given-seconds need --given"),
        (["--given", "SONG", "--impute", "soon"], "--impute soon; START:END in seconds"),
        (["--given", "SONG", "--missing", "flute"], "no stem 'flute'; there are low, high"),
        (["--seconds", "9"], "141 frames; this model was trained on 1 to 16"),
        (["--given", "SONG", "--given-seconds", "3"], "40 frames; this model was trained on"),
        (["--temperature", "-1"], "temperature = -1"),
        (["--n", "0"], "0 pieces of music"),
        (["--model", "choir"], "argument --model: invalid choice: 'choir'"),
    ],
)
def test_calls_that_cannot_be_meant_end_with_a_line_and_2(
    weights, song, tmp_path, capsys, words, told
):
    words = [str(song) if word == "SONG" else word for word in words]
    try:
        code = call("-o", tmp_path / "out", "--weights", weights, *words)
    except SystemExit as end:
        code = end.code
    assert code == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_files_that_cannot_be_used_end_with_a_line_and_1(weights, tmp_path, capsys):
    given = tmp_path / "song.codes"
    given.write_bytes(b"no codes")
    assert call("-o", tmp_path / "out", "--weights", weights, "--given", given) == 1
    assert "song.codes: no codes" in capsys.readouterr().err


def test_codes_of_songs_are_scored_beside_counting(weights, song, tmp_path, capsys):
    stems = song.parent
    words = ["--train", stems, "--develop", stems, "--weights", weights, "--n", 2]
    told = tmp_path / "score.json"
    assert main(["codes", "score", *map(str, (stems, *words, "--json", told))]) == 0
    said = capsys.readouterr().out
    assert "2 windows of 1 songs; counted on 2" in said
    assert "rqtransformer" in said
    found = json.loads(told.read_text())
    assert set(found["codes"]["nats"]) >= {"uniform", "rqtransformer"}
    assert found["sound"]["n_generated"] == 2
