"""The store of features: keys, several at work, what is broken, what is removed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from diarize.errors import BadFile
from diarize.features import store as store_module
from diarize.features.store import (
    FeatureStore,
    code_digest,
    digest_of,
    key_of,
    sound_digest,
    store_in_use,
)

ROOT = Path(__file__).parents[2]
DAY_S = 86_400.0


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def put(store, name, kind="windows", n_bytes=8_000, used_days_ago=0.0):
    key = key_of(name=name)
    store.write(kind, key, {"a": np.zeros(n_bytes // 8)}, {"recording": name})
    used_s = time.time() - used_days_ago * DAY_S
    os.utime(store.path(kind, key), (used_s, used_s))
    return key


def test_a_feature_is_found_by_all_it_depends_on_and_by_nothing_else(store):
    key = key_of(sound="1", hop="148")
    store.write("windows", key, {"a": np.arange(3)}, {"recording": "x"})
    found = store.read("windows", key_of(hop="148", sound="1"))
    np.testing.assert_array_equal(found.arrays["a"], np.arange(3))
    assert found.facts["recording"] == "x"
    assert store.read("windows", key_of(sound="1", hop="149")) is None
    assert store.read("voices", key) is None


def test_parts_of_a_key_cannot_be_mistaken_for_each_other():
    assert key_of(a="1", b="2") != key_of(a="1b2")
    assert key_of(a="1", b="2") != key_of(a="2", b="1")


def test_a_digest_tells_types_shapes_values_and_rates_apart():
    values = np.arange(6, dtype=np.int32)
    digests = [
        digest_of(values),
        digest_of(values.astype(np.float32)),
        digest_of(values.reshape(2, 3)),
        digest_of(values.reshape(3, 2)),
        digest_of(values[:3], values[3:]),
        digest_of(values[::-1]),
    ]
    assert len(set(digests)) == len(digests)
    assert digest_of(values.reshape(2, 3).T) == digest_of(values.reshape(2, 3).T.copy())
    samples = np.zeros(5, np.float32)
    assert sound_digest(samples, 8000) != sound_digest(samples, 16000)


def test_other_code_is_another_digest_but_other_words_about_it_are_not(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "a_module.py"

    def digest(text):
        module.write_text(text)
        store_module._code_of.cache_clear()
        return code_digest(["a_module"])

    first = digest('"""One."""\ndef f(x):\n    """Two."""\n    return x + 1\n')
    assert digest('"""Uno."""\n# a\ndef f(x):\n    """Dos."""\n    return (x + 1)\n') == first
    assert digest('"""One."""\ndef f(x):\n    """Two."""\n    return x + 2\n') != first


def test_what_is_broken_is_refused_by_name_and_may_be_written_anew(store):
    key = put(store, "a")
    path = store.path("windows", key)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadFile, match=f"{path}: cut short"):
        store.read("windows", key)
    put(store, "a")
    assert store.read("windows", key) is not None


def test_a_feature_under_the_name_of_another_is_refused(store):
    first, second = put(store, "a"), put(store, "b")
    store.path("windows", first).replace(store.path("windows", second))
    with pytest.raises(BadFile, match="the feature of another key"):
        store.read("windows", second)
    assert [str(error) for _, error in store.check() if error]


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(BadFile, match="x: not a folder"):
        FeatureStore(tmp_path / "x")
    with pytest.raises(BadFile, match="none: no such folder"):
        list(FeatureStore(tmp_path / "none").entries())


def test_the_environment_may_name_the_store(tmp_path, monkeypatch):
    monkeypatch.delenv("DIARIZE_STORE", raising=False)
    assert store_in_use() is None
    monkeypatch.setenv("DIARIZE_STORE", str(tmp_path))
    assert store_in_use().folder == tmp_path


def test_all_that_is_there_is_listed_and_checked(store):
    put(store, "a"), put(store, "b"), put(store, "c", "voices")
    assert [one.kind for one in store.entries()] == ["voices", "windows", "windows"]
    assert {one.facts()["recording"] for one in store.entries()} == {"a", "b", "c"}
    assert all(one.n_bytes == one.path.stat().st_size > 8000 for one in store.entries())
    broken = next(store.entries()).path
    broken.write_bytes(b"")
    assert [(one.path == broken, error is not None) for one, error in store.check()] == [
        (True, True),
        (False, False),
        (False, False),
    ]


def test_reading_is_using(store):
    key = put(store, "a", used_days_ago=9)
    store.read("windows", key)
    assert time.time() - next(store.entries()).used_s < 60


def test_what_was_not_used_for_long_is_removed(store):
    put(store, "old", used_days_ago=8), put(store, "new", used_days_ago=6)
    gone = store.prune(older_than_s=7 * DAY_S)
    assert [one.used_s < time.time() - 7 * DAY_S for one in gone] == [True]
    assert [one.facts()["recording"] for one in store.entries()] == ["new"]


def test_the_longest_unused_go_until_no_more_is_left_than_was_asked_for(store):
    for days in (3, 1, 2):
        put(store, f"{days} days", used_days_ago=days)
    each = next(store.entries()).n_bytes
    assert len(store.prune(at_most_bytes=2 * each)) == 1
    assert {one.facts()["recording"] for one in store.entries()} == {"1 days", "2 days"}
    assert store.prune(at_most_bytes=2 * each) == []
    assert len(store.prune(at_most_bytes=0)) == 2


def test_what_a_killed_program_left_half_written_is_removed_once_it_is_old(store):
    put(store, "a")
    folder = next(store.entries()).path.parent
    for name, age_s in ((".old.part", 2 * 3600), (".new.part", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    store.prune()
    assert sorted(path.name for path in folder.glob(".*")) == [".new.part"]
    assert len(list(store.entries())) == 1


def test_killed_in_the_middle_of_writing_it_leaves_nothing_that_is_taken_for_a_feature(store):
    program = """
import os, sys, signal
import numpy as np
from diarize.features import store_file
from diarize.features.store import FeatureStore
wrote = []
def killing(array):
    wrote.append(array)
    if len(wrote) == 4:  # two checksums, one array written, one begun
        os.kill(os.getpid(), signal.SIGKILL)
    return array.data
store_file._bytes_of = killing
arrays = {name: np.zeros(99999, np.uint8) for name in "ab"}
FeatureStore(sys.argv[1]).write("windows", "a" * 64, arrays)
"""
    words = [sys.executable, "-c", program, str(store.folder)]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = [path for path in store.folder.rglob("*") if path.is_file()]
    assert left.name.endswith(".part")
    assert store.read("windows", "a" * 64) is None
    assert list(store.entries()) == []
    store.write("windows", "a" * 64, {"a": np.ones(3)})
    np.testing.assert_array_equal(store.read("windows", "a" * 64).arrays["a"], np.ones(3))


def write_and_read(folder):
    """Write one feature again and again while others do; how often it was found whole."""
    store, key = FeatureStore(folder), key_of(name="shared")
    whole = 0
    for _ in range(40):
        store.write("windows", key, {"a": np.arange(20_000)})
        whole += int(store.read("windows", key).arrays["a"][-1] == 19_999)
    return whole


def test_several_at_once_write_and_read_one_feature(store):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(write_and_read, [store.folder] * 2)) == [40, 40]
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 1
