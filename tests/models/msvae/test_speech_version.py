"""Weights of another version are refused, with both versions named."""

import json

import pytest
from tiny_speech import made_speech

from diarize.errors import DiarizeError
from diarize.inference.attribute import load_attributor
from diarize.training.shipped import describe, ship


def test_weights_of_another_version_are_refused_with_both_named(tmp_path):
    model = made_speech()
    path = tmp_path / "attributor.safetensors"
    ship(path, model.state_dict(), {"model": describe(model)})
    card = json.loads(path.with_suffix(".json").read_text())
    card["model"]["settings"]["version"] = 7
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(DiarizeError, match=r"version 7; this program is of version 1"):
        load_attributor(path)
