import json

import pytest
import torch

from diarize.cli import main
from diarize.errors import BadFile
from diarize.models import make_model
from diarize.training.packing import pack
from diarize.training.shipped import describe, load_model, ship


@pytest.fixture
def trained(tmp_path):
    """A small model as a training leaves it."""
    torch.manual_seed(0)
    settings = {"n_streams": 2, "n_values": 16, "n_latents": 3, "decoder_widths": [60]}
    model = make_model("msvae", {**settings, "encoder_widths": [2, 4]}, "test")
    ship(tmp_path / "m.safetensors", model.state_dict(), {"model": describe(model), "seed": 3})
    return tmp_path / "m.safetensors"


def test_packed_weights_do_nearly_the_same_in_half_the_room(trained, tmp_path):
    target = tmp_path / "out" / "small.safetensors"
    pack(trained, target, {"licence": "CC0"})
    images = torch.rand(4, 16)
    before = load_model(trained).attribute(images)
    after = load_model(target).attribute(images)
    torch.testing.assert_close(before.sources, after.sources, atol=2e-3, rtol=0)
    assert target.stat().st_size < 0.75 * trained.stat().st_size


def test_a_card_has_what_the_training_wrote_and_what_is_said_of_it(trained, tmp_path):
    card = pack(trained, tmp_path / "small.safetensors", {"licence": "CC0"})
    told = json.loads(card.read_text())
    assert told["seed"] == 3
    assert told["licence"] == "CC0"
    assert told["model"]["name"] == "msvae"


def test_numbers_that_half_precision_cannot_hold_stay(tmp_path):
    model = make_model("msvae", {"n_streams": 2, "n_values": 16, "encoder_widths": [2, 4]}, "test")
    weights = model.state_dict()
    name = next(name for name in weights if weights[name].ndim > 1)
    weights[name] = torch.full_like(weights[name], 1e6)
    ship(tmp_path / "m.safetensors", weights, {"model": describe(model)})
    pack(tmp_path / "m.safetensors", tmp_path / "small.safetensors", {})
    found = load_model(tmp_path / "small.safetensors").state_dict()
    assert found[name].max() == 1e6


def test_weights_that_are_too_large_are_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("diarize.training.packing.MOST_BYTES", 100)
    with pytest.raises(BadFile, match="at most 0 MB ship"):
        pack(trained, tmp_path / "small.safetensors", {})
    assert not (tmp_path / "small.safetensors").exists()


def test_the_verb_writes_weights_and_card(trained, tmp_path, capsys):
    score = tmp_path / "score.json"
    score.write_text('{"exact": 0.9}')
    said = ["--licence", "A", "--data-licence", "B", "--command", "C", "--score", str(score)]
    assert main(["pack", str(trained), "-o", str(tmp_path / "s.safetensors"), *said]) == 0
    card = tmp_path / "s.json"
    assert capsys.readouterr().out.strip() == str(card)
    told = json.loads(card.read_text())
    assert (told["licence"], told["data_licence"], told["command"]) == ("A", "B", "C")
    assert told["scores"] == {"exact": 0.9}


def test_a_score_that_is_no_json_is_one_line(trained, tmp_path, capsys):
    score = tmp_path / "score.json"
    score.write_text("{")
    said = ["--licence", "A", "--data-licence", "B", "--command", "C", "--score", str(score)]
    assert main(["pack", str(trained), "-o", str(tmp_path / "s.safetensors"), *said]) == 1
    assert "no JSON" in capsys.readouterr().err
