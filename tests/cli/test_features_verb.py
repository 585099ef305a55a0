"""`diarize features` and `diarize infer --store`: what is kept, what is broken, what goes."""

import os
import time

import numpy as np
import pytest
import soundfile

from diarize.cli import main
from diarize.features.store import FeatureStore, key_of
from diarize.inference import ears

RATE_HZ = 16_000


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of two features, the second unused for ten days."""
    monkeypatch.delenv("DIARIZE_STORE", raising=False)
    store = FeatureStore(tmp_path / "my store")
    facts = {"recording": "a call", "duration_s": "1800.000"}
    for number, kind in enumerate(("voices", "windows")):
        store.write(kind, key_of(name=kind), {"a": np.zeros(1000)}, facts)
        used_s = time.time() - number * 10 * 86_400
        os.utime(store.path(kind, key_of(name=kind)), (used_s, used_s))
    return store


@pytest.fixture
def features(store, capsys):
    """A function: the action on that store; exit code, standard output, standard error."""

    def run(*words, there=store.folder):
        code = main(["features", *words, *(["--store", str(there)] if there else [])])
        return code, *capsys.readouterr()

    return run


def test_a_table_says_how_much_of_what_there_is(features, store):
    n_bytes = next(store.entries()).n_bytes
    code, out, err = features("list")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["kind", "features", "hours", "size", "last", "used"]
    assert [line[:2] for line in lines[1:]] == [["voices", "1"], ["windows", "1"], ["all", "2"]]
    assert lines[1][2:5] == ["0.50", f"{n_bytes / 1000:.1f}", "kB"]


def test_a_line_a_feature_names_recording_and_file(features, store):
    code, out, _ = features("list", "--long")
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[:3] for row in rows[1:]] == [
        ["voices", "a call", "1800.000"],
        ["windows", "a call", "1800.000"],
    ]
    assert [row[5] for row in rows[1:]] == [str(one.path) for one in store.entries()]


def test_what_is_broken_is_named_and_removed_when_asked(features, store):
    assert features("check")[0] == 0
    broken = next(store.entries()).path
    broken.write_bytes(broken.read_bytes()[:-1])
    code, out, err = features("check")
    assert (code, out) == (1, f"{broken}\n")
    assert f"{broken}: cut short" in err
    assert err.endswith("1 whole, 1 broken\n")
    assert broken.name in features("list", "--long")[1]
    assert features("check", "--remove")[0] == 0
    assert features("check")[2].endswith("1 whole, 0 broken\n")


def test_what_is_unused_goes_by_age_and_size(features, store):
    n_bytes = next(store.entries()).n_bytes
    code, out, err = features("prune", "--unused-days", "5")
    assert code == 0
    assert out.endswith(".safetensors\n")
    assert "/windows/" in out
    assert f"1 removed ({n_bytes / 1000:.1f} kB), 1 left" in err
    assert features("prune", "--at-most", "10k")[1] == ""
    assert "1 removed" in features("prune", "--at-most", "1k")[2]
    assert list(store.entries()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prune"], "say what is to go: --unused-days N, --at-most SIZE, or both"),
        (["prune", "--at-most", "much"], "'much' is no size; 20G, 500M"),
        (["prune", "--unused-days=-1"], "--unused-days -1; 0 or more would be right"),
        (["prune", "--unused-days=nan"], "--unused-days nan; 0 or more would be right"),
    ],
)
def test_a_call_that_means_nothing_removes_nothing(features, store, words, said):
    code, _, err = features(*words)
    assert code == 2
    assert said in err
    assert len(list(store.entries())) == 2


def test_a_store_that_is_not_there_is_named(features, tmp_path):
    code, _, err = features("list", there=tmp_path / "none")
    assert code == 1
    assert f"{tmp_path}/none: no such folder" in err


def test_the_environment_may_name_it_and_one_must_be_named(features, store, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        features("list", there=None)
    assert stopped.value.code == 2
    assert "--store" in capsys.readouterr().err
    monkeypatch.setenv("DIARIZE_STORE", str(store.folder))
    assert features("list", there=None)[0] == 0


def test_infer_hears_nothing_twice_and_says_what_was_broken(
    loaded, talk, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIARIZE_STORE", raising=False)
    soundfile.write("talk.wav", talk.samples, RATE_HZ)

    def infer(*words):
        assert main(["infer", "talk.wav", *words]) == 0
        return capsys.readouterr()

    plain, _ = infer()
    assert infer("--store", "kept") == (plain, "")
    assert len(list(FeatureStore("kept").entries())) == 2
    heard = ears.segment, ears.hear_voices
    monkeypatch.setattr(ears, "segment", None)
    monkeypatch.setattr(ears, "hear_voices", None)
    assert infer("--store", "kept") == (plain, "")
    monkeypatch.setenv("DIARIZE_STORE", "kept")
    assert infer() == (plain, "")
    ears.segment, ears.hear_voices = heard
    broken = next(FeatureStore("kept").entries()).path
    broken.write_bytes(b"")
    out, err = infer()
    assert out == plain
    assert f"talk: heard anew: {broken}: cut short, at 0 bytes" in err
    assert main(["infer", "talk.wav", "--store", "talk.wav"]) == 1
    assert "talk.wav: not a folder" in capsys.readouterr().err
