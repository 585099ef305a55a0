"""Weights that ship: rebuilt from what stands beside them."""

import json
import subprocess
from pathlib import Path

import pytest
import torch
from toy import N_STEPS, SETTINGS, Toy, ToySettings, ToySupply, new_toy

import diarize
from diarize.errors import BadFile
from diarize.training import shipped
from diarize.training.loop import train
from diarize.training.shipped import commit, describe, load_model, new_model, ship


@pytest.fixture
def path(tmp_path):
    toy = new_toy(ToySettings(width=5))
    ship(tmp_path / "model.safetensors", toy.state_dict(), {"model": describe(toy)})
    return tmp_path / "model.safetensors"


def test_a_model_is_rebuilt_with_its_settings_and_weights_ready_for_use(path):
    toy = load_model(path)
    assert toy.settings == ToySettings(width=5)
    for name, tensor in new_toy(ToySettings(width=5)).state_dict().items():
        assert torch.equal(toy.state_dict()[name], tensor)
    assert not toy.training
    assert not any(one.requires_grad for one in toy.parameters())


def test_a_path_in_text_will_do(path):
    assert isinstance(load_model(str(path)), Toy)


def test_loading_leaves_torchs_chance_alone(path):
    before = torch.get_rng_state()
    load_model(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_first_weights_depend_on_the_seed_alone():
    first, same, other = (new_model("toy", {}, "a.toml [model]", seed) for seed in (1, 1, 2))
    assert torch.equal(first.decoder.weight, same.decoder.weight)
    assert not torch.equal(first.decoder.weight, other.decoder.weight)


def test_a_model_nobody_named_goes_by_its_place_in_the_code():
    class Nameless(Toy):
        pass

    assert describe(Nameless())["name"].endswith(":" + Nameless.__qualname__)
    assert describe(new_toy()) == {"name": "toy", "settings": {"width": 3}}  # none is left out


def test_the_json_beside_a_training_says_what_made_the_weights(tmp_path):
    data = {"corpus": "digits", "summary": {"n": 3, "folder": Path("x")}}
    train(new_toy(), ToySupply(), SETTINGS, tmp_path, data=data)
    card = json.loads((tmp_path / "model.json").read_text())
    assert card["model"] == {"name": "toy", "settings": {"width": 3}}
    assert card["train"]["phases"]["experts"]["rate"] == 0.02
    assert card["data"] == {"corpus": "digits", "summary": {"n": 3, "folder": "x"}}
    assert card["batches"] == {"experts": 5, "mixtures": 4}
    assert card["steps"] == N_STEPS
    assert card["seconds"] >= 0
    assert card["losses"].keys() == {"total", "error", "label"}
    assert card["package"] == diarize.__version__
    assert card["device"] in ("cpu", "cuda")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": 3}', '{"model": {"name": "toy"}}'])
def test_a_json_that_says_not_what_the_weights_are_of_is_refused(path, text):
    path.with_suffix(".json").write_text(text)
    with pytest.raises(BadFile, match=r"model\.json: does not say what model model\.safetensors"):
        load_model(path)


def test_missing_or_exchanged_files_are_refused(path, tmp_path):
    toy = new_toy()
    ship(tmp_path / "other.safetensors", toy.state_dict(), {"model": describe(toy)})
    weights = path.read_bytes()
    path.write_bytes((tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(BadFile, match=r"model\.json: is of other weights"):
        load_model(path)
    path.unlink()
    with pytest.raises(BadFile, match=r"model\.safetensors: no such file"):
        load_model(path)
    path.write_bytes(weights)
    path.with_suffix(".json").unlink()
    with pytest.raises(BadFile, match=r"model\.json: cannot be read"):
        load_model(path)


def test_the_commit_is_that_of_the_checkout_and_none_outside_of_one(tmp_path, monkeypatch):
    package = tmp_path / "diarize"
    package.mkdir()
    monkeypatch.setattr(diarize, "__file__", str(package / "__init__.py"))
    assert commit() is None
    git = ["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert commit() is None  # no commit yet
    (package / "a.txt").write_text("a")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a"], check=True)
    found = commit()
    assert len(found) == 40
    (package / "a.txt").write_text("b")
    assert commit() == f"{found}-dirty"
    monkeypatch.setattr(shipped.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(OSError))
    assert commit() is None
