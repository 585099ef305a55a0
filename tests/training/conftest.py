"""The toy model under a name, as the five models have theirs."""

import pytest
from toy import Toy, new_toy

from diarize import models
from diarize.config import build


@pytest.fixture(autouse=True)
def toy_in_models(monkeypatch):
    """`make_model("toy", ...)` makes a toy."""

    def make_model(name, settings, where):
        assert name == "toy"
        return Toy(build(Toy.settings_type, settings, where))

    monkeypatch.setattr(models, "MODELS", {"toy": "toy:Toy"}, raising=False)
    monkeypatch.setattr(models, "make_model", make_model, raising=False)


@pytest.fixture
def toy():
    return new_toy()
