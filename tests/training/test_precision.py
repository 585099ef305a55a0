"""Products in bfloat16: what is computed in it, and what stays in float32."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from toy import SETTINGS, Toy, ToySupply, new_toy

from diarize.training.loop import train
from diarize.training.tensors import read_tensors
from diarize.training.update import has_bfloat16


class Watching(Toy):
    """Keeps in mind in what its encoder computes."""

    def __init__(self):
        super().__init__()
        self.load_state_dict(new_toy().state_dict())
        self.kinds = set()
        self.encoder[0].register_forward_hook(lambda _, __, made: self.kinds.add(made.dtype))


Watching.__module__, Watching.__qualname__ = "toy", "Toy"


@pytest.mark.parametrize(
    ("precision", "kind"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)]
)
def test_products_are_in_the_precision_asked_for_and_all_that_is_kept_in_float32(
    tmp_path, precision, kind
):
    model = Watching()
    trained = train(model, ToySupply(), replace(SETTINGS, precision=precision), tmp_path)
    assert model.kinds == {kind}
    assert all(math.isfinite(loss) for loss in trained.losses.values())
    kept = read_tensors(tmp_path / "checkpoint.safetensors").tensors
    kinds = {name: one.dtype for name, one in kept.items() if name.startswith("model/")}
    kinds |= {name: one.dtype for name, one in kept.items() if "exp_avg" in name}
    assert set(kinds.values()) <= {torch.float32, torch.float64, torch.int64}


def test_bfloat16_trains_nearly_as_float32_does(tmp_path):
    settings = {name: replace(SETTINGS, precision=name) for name in ("bfloat16", "float32")}
    losses = {
        name: train(new_toy(), ToySupply(), one, tmp_path / name).losses["total"]
        for name, one in settings.items()
    }
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bfloat16"] != losses["float32"]


def test_auto_is_float32_on_a_processor(tmp_path):
    weights = [
        load_file(train(new_toy(), ToySupply(), settings, tmp_path / settings.precision).path)
        for settings in (SETTINGS, replace(SETTINGS, precision="auto", device="cpu"))
    ]
    assert all(torch.equal(weights[1][name], one) for name, one in weights[0].items())
    assert not has_bfloat16(torch.device("cpu"))
