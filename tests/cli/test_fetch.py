"""`diarize fetch`: corpora, made once."""

import numpy as np
import pytest
import soundfile

from diarize.cli import main

MINI = "[data]\nsample_call = false\nsynthetic_s = 5\n"


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "mini.toml").write_text(MINI)
    return str(tmp_path / "mini.toml")


@pytest.fixture
def speech(tmp_path):
    """Three speakers with one utterance of 10 s each: noise and a pause by turns."""
    folder = tmp_path / "speech"
    folder.mkdir()
    lines = ["path\tspeaker\tset\tseconds"]
    on = np.arange(160_000) % 16_000 < 12_000
    for number in range(3):
        noise = 0.1 * np.random.default_rng(number).normal(size=160_000)
        soundfile.write(folder / f"{number}.wav", noise * on, 16_000)
        lines.append(f"{number}.wav\tspeaker{number}\tmade\t10.0")
    (folder / "speakers.tsv").write_text("\n".join(lines) + "\n")
    return str(folder)


def test_mini_is_made_and_then_found(conf, tmp_path, capsys):
    data = str(tmp_path / "data")
    assert main(["fetch", "mini", "--data", data, "--conf", conf]) == 0
    first = capsys.readouterr()
    assert first.out == f"{data}/manifest.jsonl\n"
    assert first.err == f"diarize fetch: made 1 recording in {data}\n"
    assert main(["fetch", "mini", "--data", data, "--conf", conf]) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert "nothing to do, already there" in second.err


def test_another_seed_makes_another_conversation(conf, tmp_path):
    truths = []
    for seed in ("0", "1"):
        data = tmp_path / f"data{seed}"
        assert main(["fetch", "mini", "--data", str(data), "--conf", conf, "--seed", seed]) == 0
        truths.append((data / "ref.rttm").read_text())
    assert truths[0] != truths[1]


def test_simulated_takes_its_settings_from_the_conf_and_its_folders_from_the_call(
    speech, tmp_path, capsys
):
    conf = tmp_path / "a.toml"
    conf.write_text(
        "[data]\ncount = 5\n"
        "[data.conversations]\nsplit = 'all'\nmin_s = 10\nmax_s = 10\nmax_speakers = 2\n"
        "[data.conversations.acoustics]\nmin_snr_db = 30\n"
    )
    data = tmp_path / "data"
    call = ["fetch", "simulated", "--data", str(data), "--conf", str(conf), "--speech", speech]
    assert main([*call, "--count", "2"]) == 0
    assert "made 2 recordings" in capsys.readouterr().err
    assert len(list((data / "audio").iterdir())) == 2
    assert '"snr_db": 30.0' in (data / "facts.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["simulated"], "give --speech DIR", 2),
        (["simulated", "--speech", "gone"], "gone/speakers.tsv: no such file", 1),
        (["simulated", "--count", "0", "--speech", "x"], "count = 0", 2),
        (["mini", "--speech", "x"], "--speech is for simulated", 2),
        (["mini", "--from", "x"], "--from is for mnist; mini takes none", 2),
        (
            ["mnist", "--seed", "1"],
            "--seed is for mini, simulated, two_speakers; mnist takes none",
            2,
        ),
        (["mnist", "--from", "gone"], "gone: no train-images-idx3-ubyte", 1),
        (["mini", "--seed", "-1"], "--seed -1", 2),
        (["mini", "--conf", "gone.toml"], "gone.toml: no such conf file", 1),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_line(words, told, code, tmp_path, capsys):
    assert main(["fetch", *words, "--data", str(tmp_path / "data")]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_setting_that_is_none_is_told(tmp_path, capsys):
    (tmp_path / "a.toml").write_text("[data]\nsynthetics = 5\n")
    call = ["fetch", "mini", "--data", str(tmp_path), "--conf", str(tmp_path / "a.toml")]
    assert main(call) == 1
    assert "synthetics" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(conf, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    call = ["fetch", "mini", "--data", str(tmp_path / "file" / "data"), "--conf", conf]
    assert main(call) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_corpus_is_not_written_over_another(conf, speech, tmp_path, capsys):
    main(["fetch", "mini", "--data", str(tmp_path / "data"), "--conf", conf])
    call = ["fetch", "simulated", "--data", str(tmp_path / "data"), "--speech", speech]
    assert main(call) == 2
    assert "holds the corpus 'mini'" in capsys.readouterr().err


def test_mnist_comes_from_a_folder_once(small_mnist, tmp_path, capsys):
    data = str(tmp_path / "data")
    call = ["fetch", "mnist", "--data", data, "--from", str(small_mnist)]
    assert main(call) == 0
    first = capsys.readouterr()
    assert first.out == f"{data}\n"
    assert f"mnist: from {small_mnist}" in first.err
    assert f"made the four files of MNIST in {data}" in first.err
    assert main(call) == 0
    assert "nothing to do, already there: the four files" in capsys.readouterr().err


def test_a_conf_may_name_the_folder_mnist_comes_from(small_mnist, tmp_path, capsys):
    (tmp_path / "a.toml").write_text(f"[data]\nmnist = '{small_mnist}'\n")
    call = ["fetch", "mnist", "--data", str(tmp_path / "data"), "--conf", str(tmp_path / "a.toml")]
    assert main([*call, "--offline"]) == 0
    assert f"mnist: from {small_mnist}" in capsys.readouterr().err
