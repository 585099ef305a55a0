"""Files of arrays: what is read is what was written, or it is refused by name."""

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from diarize.errors import BadCall, BadFile
from diarize.features import store_file
from diarize.features.store_file import open_arrays, read_facts, write_arrays

FACTS = {"recording": "Zoë's call", "key": "1"}


@pytest.fixture
def arrays():
    chance = np.random.default_rng(0)
    return {
        "odd": chance.random((3, 5)).astype(np.float16),
        "double": chance.random(7),
        "single": chance.random((2, 2, 2)).astype(np.float32).transpose(2, 1, 0),
        "none": np.zeros((0, 4), np.float32),
        "one": np.array(589),
        "on": np.array([True, False, True]),
        "byte": np.arange(5, dtype=np.uint8),
        "int": np.arange(3, dtype=np.int32),
    }


@pytest.fixture
def path(arrays, tmp_path):
    path = tmp_path / "a" / "file.safetensors"
    write_arrays(path, arrays, FACTS)
    return path


def test_what_is_read_is_what_was_written(arrays, path):
    found = open_arrays(path)
    assert set(found.arrays) == set(arrays)
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype, name
        assert found.arrays[name].flags.aligned, name
        np.testing.assert_array_equal(found.arrays[name], array)
    assert dict(found.facts) == FACTS
    assert dict(read_facts(path)) == FACTS


def test_the_same_gives_the_same_bytes_whatever_the_order(arrays, path, tmp_path):
    again = dict(reversed(arrays.items()))
    write_arrays(tmp_path / "again", again, dict(reversed(FACTS.items())))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_safetensors_reads_it_too(arrays, path):
    found = load_file(path)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    with safe_open(path, framework="numpy") as file:
        assert set(file.metadata()) == {"facts", "sha256", "seal"}


def test_what_is_read_may_be_written_to_and_the_file_stays(arrays, path):
    before = path.read_bytes()
    open_arrays(path).arrays["double"][:] = 0
    assert path.read_bytes() == before
    np.testing.assert_array_equal(open_arrays(path).arrays["double"], arrays["double"])


def test_what_is_read_stays_when_the_file_is_replaced_or_removed(arrays, path):
    found = open_arrays(path)
    write_arrays(path, {"double": np.zeros(7)}, {})
    np.testing.assert_array_equal(found.arrays["double"], arrays["double"])
    path.unlink()
    np.testing.assert_array_equal(found.arrays["odd"], arrays["odd"])


def test_a_byte_changed_anywhere_is_noticed(path):
    content = path.read_bytes()
    for at in range(0, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(BadFile) as error:
            open_arrays(path)
        assert str(path) in str(error.value), at
        assert "\n" not in str(error.value)


def test_a_file_cut_short_anywhere_is_refused_with_its_name(path):
    content = path.read_bytes()
    for size in range(0, len(content), 11):
        path.write_bytes(content[:size])
        with pytest.raises(BadFile, match=r"file\.safetensors: .*remove it, and it is made again"):
            open_arrays(path)
        with pytest.raises(BadFile, match=r"file\.safetensors: "):
            read_facts(path)


def test_a_file_that_goes_on_is_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BadFile, match="longer than what was written"):
        open_arrays(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"\0" * 8, (2).to_bytes(8, "little") + b"[]", (2).to_bytes(8, "little") + b"{}"],
)
def test_something_else_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BadFile, match="x: "):
        open_arrays(tmp_path / "x")


def test_a_folder_in_its_place_is_refused_and_nothing_there_is_said(tmp_path):
    with pytest.raises(BadFile, match="cannot be read"):
        open_arrays(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_arrays(tmp_path / "none")


def test_an_array_of_another_type_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(BadCall, match="name: an array of <U1; there are F64"):
        write_arrays(tmp_path / "x", {"name": np.array(["a"])}, {})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_what_was_there(path, monkeypatch):
    before = path.read_bytes()

    def full(array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_file, "_bytes_of", full)
    with pytest.raises(OSError, match="No space left"):
        write_arrays(path, {"a": np.zeros(3)}, {})  # nothing was begun
    monkeypatch.undo()
    written = []

    def full_later(array):
        written.append(array)
        if len(written) > 1:  # the first call is for the checksum
            raise OSError(28, "No space left on device")
        return array.data

    monkeypatch.setattr(store_file, "_bytes_of", full_later)
    with pytest.raises(BadFile, match="cannot be written"):
        write_arrays(path, {"a": np.zeros(3, np.uint8)}, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_array_is_checked_through_a_small_buffer(tmp_path, monkeypatch):
    monkeypatch.setattr(store_file, "BLOCK_BYTES", 1000)
    values = np.random.default_rng(0).random(1234)
    write_arrays(tmp_path / "x", {"a": values}, {})
    np.testing.assert_array_equal(open_arrays(tmp_path / "x").arrays["a"], values)
