import pytest
import torch
from torch import nn

from diarize.errors import BadFile
from diarize.features.trained import load_trained


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


@pytest.fixture
def saved(tmp_path):
    """A function: the path of a file that holds an object as PyTorch saves it."""

    def save(thing):
        path = tmp_path / "weights.pt"
        torch.save(thing, path)
        return path

    return save


def refusal(network, path):
    with pytest.raises(BadFile) as refused:
        load_trained(network, path, "a toy")
    message = str(refused.value)
    assert message.startswith(f"{path}: not the weights of a toy: ")
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))
    return message


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state}])
def test_weights_are_put_in_place_and_the_network_only_infers(network, saved, wrap):
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    loaded = load_trained(network, saved(wrap(other.state_dict())), "a toy")
    assert loaded is network
    torch.testing.assert_close(network[0].weight.data, other[0].weight.data)
    assert not any(module.training for module in network.modules())
    assert not network(torch.ones(1, 2)).requires_grad


@pytest.mark.parametrize(
    "contents",
    [b"", b"text\n", b"\x80\x02}", b"PK\x03\x04 a zip, nearly", b"RIFF\0\0\0\0WAVEfmt ", bytes(64)],
)
def test_a_file_of_anything_else_is_refused_in_one_line(network, tmp_path, contents):
    path = tmp_path / "file.pt"
    path.write_bytes(contents)
    assert "cannot read it as a state dict" in refusal(network, path)


def test_a_file_cut_short_is_refused(network, saved):
    path = saved(network.state_dict())
    path.write_bytes(path.read_bytes()[:-100])
    assert "cannot read it" in refusal(network, path)


def test_a_file_that_would_run_code_is_refused_and_runs_none(network, saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    assert "cannot read it" in refusal(network, saved(Trap()))
    assert not (tmp_path / "ran").exists()


def test_another_thing_than_a_state_dict_is_named(network, saved):
    assert "holds a list" in refusal(network, saved([1, 2]))


def test_missing_and_strange_tensors_are_counted_and_one_is_named(network, saved):
    state = network.state_dict()
    wanting = {name: value for name, value in state.items() if not name.startswith("0.")}
    assert "2 of 7 tensors are missing, 0.weight" in refusal(network, saved(wanting))
    strange = state | {"head.bias": torch.zeros(1)}
    assert "1 tensors too many, head.bias" in refusal(network, saved(strange))


def test_a_tensor_of_another_shape_is_named_with_both_shapes(network, saved):
    found = refusal(network, saved(network.state_dict() | {"0.weight": torch.zeros(5, 2)}))
    assert "0.weight" in found
    assert "[5, 2]" in found
    assert "[3, 2]" in found
