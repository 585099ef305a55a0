"""The journal of a training: its lines, and going on in the middle of one."""

import json
import math
import sys
from types import ModuleType

import pytest

from diarize.errors import BadCall, BadFile
from diarize.training.checkpoint import Position
from diarize.training.journal import Journal
from diarize.training.update import Update


def step(journal, number, loss, is_last=False, **parts):
    """Tell of step `number`, from 1."""
    done = Position("experts", 0, number, 100 + number, 0.5 * number)
    return journal.step(done, 0.1, Update(loss, 2.0, parts), is_last)


def rows(journal):
    return [json.loads(line) for line in journal.path.read_text().splitlines()]


def test_a_line_tells_the_means_since_the_one_before(tmp_path):
    with Journal(tmp_path, every=2) as journal:
        journal.begin()
        assert not step(journal, 1, 3.0, kl=1.0)
        assert step(journal, 2, 5.0, kl=2.0)
        assert step(journal, 3, 7.0, is_last=True, kl=4.0)
        assert journal.last == {"total": 7.0, "kl": 4.0}
    first, second = rows(journal)
    assert first == {
        "kind": "step",
        "phase": "experts",
        "epoch": 0,
        "steps": 102,
        "step": 1,
        "n_steps": 2,
        "rate": 0.1,
        "seconds": 1.0,
        "total": 4.0,
        "gradient_norm": 2.0,
        "kl": 1.5,
    }
    assert (second["step"], second["n_steps"], second["kl"]) == (2, 1, 4.0)


def test_a_part_that_only_some_steps_have_is_the_mean_of_those(tmp_path):
    with Journal(tmp_path, every=2) as journal:
        journal.begin()
        step(journal, 1, 3.0, labelled=4.0)
        step(journal, 2, 5.0)
    assert rows(journal)[0]["labelled"] == 4.0


def test_the_end_of_an_epoch_has_a_line_of_its_own(tmp_path):
    with Journal(tmp_path) as journal:
        journal.begin()
        journal.epoch(Position("mixtures", 3, 7, 50, 1.23456), {"pi_0": 0.1, "b": math.nan})
    assert rows(journal) == [
        {
            "kind": "epoch",
            "phase": "mixtures",
            "epoch": 3,
            "steps": 50,
            "seconds": 1.235,
            "pi_0": 0.1,
            "b": None,  # JSON knows no NaN
        }
    ]


def test_it_goes_on_in_the_middle_of_a_line_and_drops_what_came_later(tmp_path):
    with Journal(tmp_path, every=2) as journal:
        journal.begin()
        for number, loss in ((1, 3.0), (2, 5.0), (3, 0.1)):
            step(journal, number, loss)
        state = json.loads(json.dumps(journal.state()))  # as a checkpoint keeps it
        step(journal, 4, 0.2)
        step(journal, 5, 9.0, is_last=True)
    whole = rows(journal)[:2]
    with Journal(tmp_path, every=2) as journal:
        journal.begin(state)
        assert len(rows(journal)) == 1
        assert journal.last == {"total": 4.0}
        step(journal, 4, 0.2)
    assert rows(journal) == whole
    assert whole[1]["total"] == (0.1 + 0.2) / 2


def test_a_journal_somebody_removed_begins_anew(tmp_path):
    with Journal(tmp_path) as journal:
        journal.begin({"n_lines": 7, "sums": {}, "last": {}})
        journal.epoch(Position("experts"), {})
    assert len(rows(journal)) == 1


def test_a_number_under_a_name_of_the_journals_own_is_refused(tmp_path):
    with Journal(tmp_path) as journal:
        journal.begin()
        with pytest.raises(BadCall, match="calls a number 'total', as the journal does"):
            step(journal, 1, 3.0, total=1.0)
        with pytest.raises(BadCall, match="'epoch'"):
            journal.epoch(Position("experts"), {"epoch": 1.0})


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadFile, match=r"journal\.jsonl: cannot be written"):
        Journal(tmp_path / "file")


def test_tensorboard_that_is_not_installed_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with Journal(tmp_path) as journal, pytest.raises(BadCall, match="`pip install tensorboard`"):
        journal.show_on_tensorboard(0)


def test_tensorboard_is_told_the_same_numbers(tmp_path, monkeypatch):
    told = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            told.append((folder, purge_step))

        def add_scalar(self, name, value, steps):
            told.append((name, value, steps))

        def close(self):
            told.append("closed")

    module = ModuleType("tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    with Journal(tmp_path, every=1) as journal:
        journal.begin()
        journal.show_on_tensorboard(100)
        step(journal, 1, 3.0, kl=1.0)
    assert told == [
        (str(tmp_path / "tensorboard"), 101),  # what a killed training told from there on goes
        ("experts/total", 3.0, 101),
        ("experts/gradient_norm", 2.0, 101),
        ("experts/kl", 1.0, 101),
        "closed",
    ]


def test_tensorboard_reads_them_back(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Journal(tmp_path, every=1) as journal:
        journal.begin()
        journal.show_on_tensorboard(100)
        step(journal, 1, 3.0, kl=1.0)
        journal.development(Position("experts", steps=101), {"total": 2.5}, 0)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = {name: events.Scalars(name)[0] for name in events.Tags()["scalars"]}
    assert {name: (one.step, one.value) for name, one in found.items()} == {
        "experts/total": (101, 3.0),
        "experts/gradient_norm": (101, 2.0),
        "experts/kl": (101, 1.0),
        "experts/development/total": (101, 2.5),
    }


def test_one_that_does_not_write_keeps_count_all_the_same(tmp_path):
    with Journal(tmp_path / "no", every=2, writes=False) as journal:
        journal.begin()
        assert not step(journal, 1, 3.0)
        assert step(journal, 2, 5.0)
        journal.epoch(Position("experts"), {"b": 1.0})
    assert journal.last == {"total": 4.0}
    assert not (tmp_path / "no").exists()
