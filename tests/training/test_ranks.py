"""Several ranks: together they do just what one would; if one ends, all do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import ranked
import torch
from safetensors.torch import load_file

from diarize.corpora.batch import Batch
from diarize.errors import BadCall
from diarize.training.ranks import Ranks, met_ranks, told_ranks
from diarize.training.shares import Share, SharedNoise, shares_of

CURVES = ("plain", "uneven", "moody", "images", "patient")
RATIOS = ("surprise", "right", "large")  # parts that are means of their own, over some data only


def run(what, folder, n_ranks, *names):
    here, root = Path(__file__).parent, Path(__file__).parents[2]
    environment = {
        **{**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{here}"},
        **{"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    }
    words = [sys.executable, here / "ranked.py", what, folder, str(n_ranks), *names]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr


def rows(folder):
    """The lines of a journal, without the times."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [{key: one for key, one in line.items() if key != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A folder of trainings by one rank, and of the same by two."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "two").mkdir()
    run("scenes", folder / "two", 2, *CURVES, "drifting")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diarize.models.MODELS", {"toy": "toy:Toy"})
        ranked.scenes(folder / "one", CURVES)
    return folder


@pytest.mark.parametrize("name", CURVES)
def test_two_ranks_have_the_loss_curve_of_one(both, name):
    one, two = rows(both / "one" / name), rows(both / "two" / name)
    assert len(one) == len(two) > 10
    for line, other in zip(one, two, strict=True):
        assert line.keys() == other.keys()
        for key in line.keys() - set(RATIOS):
            is_number = isinstance(line[key], float)
            wanted = pytest.approx(line[key], rel=1e-5, abs=1e-6) if is_number else line[key]
            assert other[key] == wanted, (key, line)


@pytest.mark.parametrize("name", CURVES)
def test_two_ranks_come_to_the_weights_of_one(both, name):
    one, two = (load_file(both / side / name / "model.safetensors") for side in ("one", "two"))
    assert one.keys() == two.keys()
    for key, tensor in one.items():
        torch.testing.assert_close(two[key], tensor, rtol=1e-4, atol=1e-5)


def test_all_ranks_return_the_same_and_the_card_says_how_many_they_were(both):
    first, second = (
        json.loads((both / "two" / "plain" / f"returned{rank}.json").read_text()) for rank in (0, 1)
    )
    assert first == second
    assert first["steps"] == 18
    cards = [json.loads((both / n / "plain" / "model.json").read_text()) for n in ("one", "two")]
    assert [card["ranks"] for card in cards] == [1, 2]


def test_sums_over_an_epoch_are_of_the_data_of_all_ranks(both):
    ends = [row for row in rows(both / "two" / "uneven") if row["kind"] == "epoch"]
    assert [row["n_seen"] for row in ends] == [5 + 7 + 5 + 7 + 5] * 2 + [5 + 7 + 5 + 7] * 2


def test_a_buffer_that_each_rank_moves_by_its_own_data_is_told(both):
    for rank in (0, 1):
        told = json.loads((both / "two" / "drifting" / f"returned{rank}.json").read_text())
        assert "has another mean than rank" in told["error"]
    assert not (both / "two" / "drifting" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_killed_five_times_in_a_row_it_ends_with_the_same_bits(tmp_path, n_ranks):
    run("killed", tmp_path, n_ranks)
    *deaths, last = json.loads((tmp_path / "told.json").read_text())
    assert len(deaths) == 5
    for death in deaths:
        codes = dict(enumerate(death["codes"]))
        assert codes.pop(death["victim"]) == -9
        assert set(codes.values()) <= {75}  # the others have lost it, and end by themselves
    assert [death["steps"] for death in deaths] == sorted(death["steps"] for death in deaths)
    assert 0 < deaths[-1]["steps"] < 80
    assert last["codes"] == [0] * n_ranks
    whole, killed = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "killed"))
    assert all(torch.equal(killed[name], tensor) for name, tensor in whole.items())
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


def test_torchruns_environment_tells_the_rank(monkeypatch):
    assert told_ranks() == Ranks()
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert told_ranks() == Ranks(rank=5, number=8, local=1)


@pytest.mark.parametrize(("rank", "number"), [("2", "2"), ("-1", "2"), ("one", "2"), ("0", "")])
def test_a_rank_that_cannot_be_is_refused(monkeypatch, rank, number):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", number)
    with pytest.raises(BadCall, match="torchrun sets whole numbers, RANK < WORLD_SIZE"):
        told_ranks()


def test_ranks_that_are_not_told_where_to_meet_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("MASTER_ADDR", ranked.MEETING):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadCall, match="no MASTER_ADDR to meet at; torchrun"), met_ranks():
        pass


def test_each_datum_of_a_step_is_with_one_rank():
    batches = [Batch(torch.rand(n, 2), torch.arange(n)) for n in (5, 7)]
    shares = [shares_of(batches, Ranks(rank, 3)) for rank in range(3)]
    assert sorted(i for share in shares for part in share for i in part.rows.tolist()) == [
        *range(12)
    ]
    assert sum(part.weight for share in shares for part in share) == pytest.approx(1)
    everything = torch.cat([batch.inputs for batch in batches])
    for part in (part for share in shares for part in share):
        assert torch.equal(part.batch.inputs, everything[part.rows])
        assert len(part.batch.labels) == len(part.rows)
    assert shares_of(batches[:1])[0].is_whole


def test_a_batch_of_fewer_data_than_ranks_is_refused():
    with pytest.raises(BadCall, match="a batch of 2 for 3 ranks; as many ranks as data, or fewer"):
        shares_of([Batch(torch.rand(2, 1))], Ranks(0, 3))


def drawn(rows, n_rows, draw):
    generator = torch.Generator().manual_seed(4)
    share = Share(Batch(torch.zeros(len(rows), 1)), torch.tensor(rows), n_rows)
    with SharedNoise(share, generator):
        return draw(generator)


def test_a_share_has_its_own_rows_of_the_noise_of_all():
    whole = drawn([0, 1, 2, 3], 4, lambda g: torch.randn(4, 3, generator=g))
    share = drawn([1, 3], 4, lambda g: torch.randn((2, 3), generator=g))
    assert torch.equal(share, whole[[1, 3]])
    size = drawn([1, 3], 4, lambda g: torch.randn(size=torch.Size([2, 3]), generator=g))
    assert torch.equal(size, share)


def test_several_draws_a_datum_may_come_before_the_data():
    whole = drawn([0, 1, 2], 3, lambda g: torch.rand(5, 3, 2, generator=g))
    assert torch.equal(drawn([0, 2], 3, lambda g: torch.rand(5, 2, 2, generator=g)), whole[:, ::2])


def test_noise_after_noise_is_that_of_all_too():
    def draw(generator, n):
        torch.rand(n, generator=generator)
        torch.randn(3, generator=generator)  # of no datum: the same for all
        return torch.rand(n, 2, dtype=torch.float64, generator=generator)

    whole = drawn([0, 1, 2, 3, 4], 5, lambda g: draw(g, 5))
    assert torch.equal(drawn([0, 4], 5, lambda g: draw(g, 2)), whole[[0, 4]])


def test_what_draws_in_another_way_is_refused_and_other_chance_is_left_alone():
    with pytest.raises(BadCall, match="the model draws by bernoulli"):
        drawn([1], 2, lambda g: torch.bernoulli(torch.ones(1), generator=g))
    torch.manual_seed(1)
    free = torch.randn(1)
    torch.manual_seed(1)
    assert torch.equal(drawn([1], 2, lambda _: torch.randn(1)), free)
