"""`diarize weights`: a line for each, and exit code 1 when one that is asked for is missing."""

import hashlib

import pytest

from diarize import weights
from diarize.cli import main
from diarize.weights import Weights

CONTENT = b"numbers"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """One known weights that is there, one that is nowhere."""
    monkeypatch.setenv("DIARIZE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    here = Weights("here", "MIT", "a test", file="here.pt", sha256=sha256)
    gone = Weights("gone", "Apache-2.0", "a test", file="gone.pt", hub="some/one")
    monkeypatch.setattr(weights, "KNOWN", {"here": here, "gone": gone})
    (tmp_path / "here.pt").write_bytes(CONTENT)
    return tmp_path


def test_all_weights_are_listed_with_licence_and_place_or_remedy(cache, capsys):
    assert main(["weights"]) == 0
    here, gone = capsys.readouterr().out.splitlines()
    assert here == f"here\tMIT\t{cache}/here.pt"
    assert gone.startswith("gone\tApache-2.0\tmissing: no weights of gone on this machine")


def test_fetching_what_is_there_is_no_work_and_what_cannot_be_had_sets_the_exit_code(cache, capsys):
    assert main(["weights", "fetch", "here"]) == 0
    assert main(["weights", "fetch"]) == 1
    assert "missing: no weights of gone" in capsys.readouterr().out.splitlines()[-1]


def test_one_that_is_damaged_is_told_and_does_not_hide_the_others(cache, capsys):
    (cache / "here.pt").write_bytes(b"others")
    assert main(["weights"]) == 1
    here, gone = capsys.readouterr().out.splitlines()
    assert here.startswith(f"here\tMIT\tdamaged: {cache}/here.pt: not the tested weights")
    assert gone.startswith("gone\t")


def test_a_name_nobody_knows_is_a_bad_call(cache, capsys):
    assert main(["weights", "list", "huge"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "diarize weights: no weights called 'huge'; there are here, gone\n"
