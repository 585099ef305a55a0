"""The [train] table: what it may say."""

import pytest

from diarize.config import build
from diarize.errors import BadCall, BadFile
from diarize.training.settings import FREE, LATER, PhaseSettings, TrainSettings

TABLE = {
    "seed": 4,
    "phases": {"mixtures": {"epochs": 3, "schedule": "step"}, "experts": {"rate": 1}},
}


def test_a_table_becomes_settings_with_a_table_a_phase():
    settings = build(TrainSettings, TABLE, "a.toml [train]")
    assert settings.phases["mixtures"] == PhaseSettings(epochs=3, schedule="step")
    assert settings.phases["experts"].rate == 1.0
    assert list(settings.phases_of(("experts", "mixtures", "refine"))) == ["experts", "mixtures"]


def test_a_slip_in_the_name_of_a_setting_is_told_with_its_place():
    table = {"phases": {"experts": {"epoch": 3}}}
    with pytest.raises(
        BadFile, match=r"phases\.experts: no setting 'epoch'; did you mean 'epochs'"
    ):
        build(TrainSettings, table, "a.toml [train]")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"epochs": -1}, "epochs = -1; 0 or more"),
        ({"rate": 0.0}, "rate = 0.0; a number above 0"),
        ({"rate": float("nan")}, "rate = nan"),
        ({"step_factor": 1.5}, "step_factor = 1.5"),
        ({"clip_norm": -1.0}, "clip_norm = -1.0; 0 or more"),
        ({"warmup_steps": -1}, "warmup_steps = -1"),
        ({"accumulate": 0}, "accumulate = 0; 1 or more"),
        ({"evaluate_every": 0}, "evaluate_every = 0; 1 or more"),
        ({"patience": -1}, "patience = -1; 0 or more"),
    ],
)
def test_a_phase_that_cannot_be_meant_is_refused(wrong, told):
    with pytest.raises(BadCall, match=told):
        PhaseSettings(**wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"seed": -1}, "seed = -1; 0 or more"),
        ({"average_decay": 1.0}, "average_decay = 1.0; 0 to below 1"),
        ({"journal_every": 0}, "journal_every = 0; 1 or more"),
        ({"checkpoint_every_s": float("inf")}, "checkpoint_every_s = inf"),
    ],
)
def test_a_training_that_cannot_be_meant_is_refused(wrong, told):
    with pytest.raises(BadCall, match=told):
        TrainSettings(**wrong)


def test_what_is_free_does_not_decide_and_all_else_does():
    decisive = TrainSettings().decisive()
    assert decisive.keys() == {"seed", "phases", "average_decay", "journal_every"}
    assert not decisive.keys() & set(FREE)


def test_what_came_later_decides_only_where_it_is_not_as_it_was_before():
    plain = TrainSettings(phases={"experts": PhaseSettings()})
    assert not plain.decisive()["phases"]["experts"].keys() & set(LATER)
    phase = PhaseSettings(accumulate=2, patience=3)
    told = TrainSettings(phases={"experts": phase}, precision="auto", develop={"seed": 1})
    assert told.decisive().keys() == plain.decisive().keys() | {"precision", "develop"}
    more = (
        told.decisive()["phases"]["experts"].items() - plain.decisive()["phases"]["experts"].items()
    )
    assert dict(more) == {"accumulate": 2, "patience": 3}


def test_a_phase_of_no_epochs_is_left_out():
    settings = TrainSettings(
        phases={"experts": PhaseSettings(), "mixtures": PhaseSettings(epochs=0)}
    )
    assert list(settings.phases_of(("experts", "mixtures"))) == ["experts"]
    assert list(settings.phases_of(("experts",))) == ["experts"]  # whether the model has it or not


def test_no_phase_with_an_epoch_is_refused():
    settings = TrainSettings(phases={"mixtures": PhaseSettings(epochs=0)})
    with pytest.raises(BadFile, match="no phases; this model has experts, mixtures"):
        settings.phases_of(("experts", "mixtures"))
