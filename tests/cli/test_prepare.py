"""`diarize prepare`: what is trained and tested on, from what was fetched."""

import pytest

from diarize.cli import main

TINY = "[data]\nn_test_mixtures = 4\nexpert_batch = 20\ntest_counts = [2]\n"


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    return str(tmp_path / "tiny.toml")


def test_what_was_fetched_is_prepared(small_mnist, conf, tmp_path, capsys):
    data = str(tmp_path / "data")
    assert main(["fetch", "mnist", "--data", data, "--conf", conf, "--from", str(small_mnist)]) == 0
    assert capsys.readouterr().out == f"{data}\n"
    assert main(["prepare", "digits", "--data", data, "--conf", conf]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{data}/summary.json\n"
    assert shown.err == f"diarize prepare: digits in {data}\n"
    made = {path.name for path in (tmp_path / "data").glob("*.safetensors")}
    sets = ("experts", "mixing", "dev_digits", "test_digits", "dev_K2", "test_K2", "test_bernoulli")
    assert made == {f"{name}.safetensors" for name in sets}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TINY, "no train-images-idx3-ubyte"),
        ("[data]\nlabeled_share = 1.0\n", "did you mean 'labelled_share'?"),
        ("[data]\ncorpus = 'mini'\n", "one of 'digits' is wanted"),
        ("[data]\nlabelled_share = 0\n", "labelled_share = 0"),
    ],
)
def test_what_is_wrong_is_one_line(text, told, tmp_path, capsys):
    (tmp_path / "a.toml").write_text(text)
    data = str(tmp_path / "none")
    assert main(["prepare", "digits", "--data", data, "--conf", str(tmp_path / "a.toml")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err
    assert shown.err.count("\n") == 1


def test_a_share_is_for_what_can_be_shared_out(conf, tmp_path, capsys):
    call = ["prepare", "digits", "--data", str(tmp_path), "--conf", conf, "--part", "1/2"]
    assert main(call) == 2
    assert "digits is prepared as a whole" in capsys.readouterr().err


@pytest.mark.parametrize("said", ["3/2", "0/2", "2", "a/b", "-1/2"])
def test_a_share_that_is_none_is_refused(said, tmp_path, capsys):
    assert main(["prepare", "scenes", "--data", str(tmp_path), f"--part={said}"]) == 2
    assert (
        capsys.readouterr().err
        == f"diarize prepare: --part {said}; 1/4 to 4/4, say, would be right\n"
    )
