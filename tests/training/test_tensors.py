"""Files of tensors and checkpoints: exact, whole, and refused when damaged."""

import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from diarize.errors import BadFile
from diarize.training.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    Position,
    differences,
    read_checkpoint,
    save_checkpoint,
)
from diarize.training.tensors import put_into, read_tensors, save_tensors

TENSORS = {
    "a": torch.tensor([[1.0, -0.0], [torch.pi, 1e-42]]).T,
    "n": torch.tensor(3),
    "on": torch.tensor([True, False]),
    "none": torch.zeros(0, 4, dtype=torch.float64),
}


@pytest.fixture
def file(tmp_path):
    save_tensors(tmp_path / "w.safetensors", TENSORS, {"of": "x"})
    return tmp_path / "w.safetensors"


def test_tensors_and_facts_come_back_to_the_bit(file):
    read = read_tensors(file)
    assert read.facts == {"of": "x"}
    for name, tensor in TENSORS.items():
        assert read.tensors[name].dtype == tensor.dtype
        assert read.tensors[name].shape == tensor.shape
        assert read.tensors[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    (file.parent / "other").touch()
    assert file.stat().st_mode == (file.parent / "other").stat().st_mode  # others may read it


def test_the_same_tensors_and_facts_give_the_same_bytes(file):
    before = file.read_bytes()
    for _ in range(5):
        save_tensors(file, dict(reversed(TENSORS.items())), {"of": "x"})
        assert file.read_bytes() == before


def test_tensors_that_share_their_memory_are_written_each(tmp_path):
    one = torch.arange(4.0)
    save_tensors(tmp_path / "w.safetensors", {"one": one, "same": one, "half": one[:2]}, {})
    read = read_tensors(tmp_path / "w.safetensors").tensors
    assert read["same"].tolist() == [0, 1, 2, 3]
    assert read["half"].tolist() == [0, 1]


def test_the_checksum_changes_with_a_value_a_name_and_a_fact(tmp_path):
    path, one = tmp_path / "w.safetensors", torch.ones(2)
    found = [
        save_tensors(path, {"a": one}, {"x": 1}),
        save_tensors(path, {"b": one}, {"x": 1}),
        save_tensors(path, {"a": one}, {"x": 2}),
        save_tensors(path, {"a": one * 2}, {"x": 1}),
    ]
    assert len(set(found)) == 4
    assert read_tensors(path).checksum == found[-1]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_file_cut_short_is_refused(file, share):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadFile, match=r"w\.safetensors: damaged, or no safetensors file"):
        read_tensors(file)


def test_every_changed_byte_is_noticed(file):
    whole = file.read_bytes()
    for place in range(0, len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            read = read_tensors(file)
        except BadFile:
            continue
        pytest.fail(f"byte {place} was changed, and {read.facts} was read")


def test_files_of_others_and_none_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(BadFile, match="no such file"):
        read_tensors(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(BadFile, match="does not say what it holds"):
        read_tensors(path)
    path.write_bytes(b"not tensors at all")
    with pytest.raises(BadFile, match="damaged"):
        read_tensors(path)


def test_a_disk_that_takes_nothing_is_one_error_and_what_was_there_stays(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    save_tensors(tmp_path / "w.safetensors", TENSORS, {"before": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadFile, match=r"written .No space left on device.; name"):
        save_tensors(tmp_path / "w.safetensors", TENSORS, {})
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    assert read_tensors(tmp_path / "w.safetensors").facts == {"before": 1}


def test_weights_of_another_model_are_refused_by_the_first_that_differs(file):
    with pytest.raises(BadFile, match=r"w\.safetensors: of another model: bias is missing"):
        put_into(nn.Linear(2, 2), {"weight": torch.ones(2, 2)}, file)
    with pytest.raises(BadFile, match=r"gain is \(1,\), Linear wants none"):
        put_into(nn.Linear(2, 2, bias=False), {"gain": torch.ones(1)}, file)


CHECK = Checkpoint(
    Position("experts", 1, 2, 9, 4.5),
    identity={"train": {"seed": 1}, "batches": {"experts": 7}},
    journal={"n_lines": 3, "sums": {"total": [0.1 + 0.2, 2]}, "last": {}},
    model={"layer.weight": torch.ones(2)},
    average={"layer.weight": torch.zeros(2)},
    optimizer={"layer.weight/step": torch.tensor(9.0)},
)


def test_a_checkpoint_comes_back_whole(tmp_path):
    save_checkpoint(tmp_path, CHECK)
    read = read_checkpoint(tmp_path, CHECK.identity)
    assert (read.position, read.identity, read.journal) == (
        CHECK.position,
        CHECK.identity,
        CHECK.journal,
    )
    assert read.model["layer.weight"].tolist() == [1, 1]
    assert read.average["layer.weight"].tolist() == [0, 0]
    assert read.optimizer["layer.weight/step"].item() == 9


def test_there_may_be_no_checkpoint_yet(tmp_path):
    assert read_checkpoint(tmp_path, {}) is None


def test_a_checkpoint_of_another_training_says_what_differs_and_not_more_than_three(tmp_path):
    save_checkpoint(tmp_path, CHECK)
    with pytest.raises(BadFile, match=r"\(batches.experts was 7, is 8\); train with its settings"):
        read_checkpoint(tmp_path, CHECK.identity | {"batches": {"experts": 8}})
    with pytest.raises(BadFile, match=r"a was not there, is 1; .*; and 2 more\)"):
        read_checkpoint(tmp_path, {"a": 1, "b": 1, "c": 1})


def test_weights_under_a_checkpoints_name_are_no_checkpoint(tmp_path):
    save_tensors(tmp_path / CHECKPOINT, TENSORS, {})
    with pytest.raises(BadFile, match="holds weights, but is no checkpoint"):
        read_checkpoint(tmp_path, {})


def test_differences_reach_into_tables_and_arrays():
    assert differences({"a": {"b": [1, 2]}, "c": 1}, {"a": {"b": [1, 3]}, "c": 1}) == [
        "a.b was [1, 2], is [1, 3]"
    ]
    assert differences({"a": {}}, {"a": {"b": 1}}) == [
        "a was {}, is not there",
        "a.b was not there, is 1",
    ]
