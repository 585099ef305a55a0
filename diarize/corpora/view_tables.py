"""Prepared data in several views, kept as tables of values: a part each, handed out in batches."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int64

from diarize.corpora.batch import Views
from diarize.corpora.chance import generator_of
from diarize.corpora.polymnist_supply import present_views
from diarize.corpora.prepared import SUMMARY, begin, check_prepared, finish
from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadCall, BadFile
from diarize.formats.text import save_text

PARTS = ("train", "dev", "test")
PHASES = ("views",)


@runtime_checkable
class TableSettings(Protocol):
    """What settings of such a corpus have besides their own."""

    @property
    def seed(self) -> int:
        """Of the order of batches."""
        ...

    @property
    def part(self) -> str:
        """What a supply hands out."""
        ...

    @property
    def batch(self) -> int:
        """Data of a batch."""
        ...

    @property
    def missing_share(self) -> float:
        """Of views, each by itself."""
        ...

    def prepared(self) -> dict[str, Any]:
        """Those that what is prepared hangs on, as JSON has them."""
        ...


@dataclass(frozen=True)
class ViewTable:
    """The data of one part.

    Attributes:
        values: of all views, one after the other.
        truths: the shared class, then that of each view where views have any; -1 where not known.
        names: of the data, such as patients; in a file of their own, for people to look up.
    """

    values: Float32[np.ndarray, "datum value"]
    truths: Int64[np.ndarray, "datum column"]
    names: tuple[str, ...] = ()


def save_tables(
    folder: Path,
    tables: Mapping[str, ViewTable],
    settings: TableSettings,
    facts: Mapping[str, Any],
) -> Path:
    """Write the parts and, last, the summary, whose path is returned.

    `facts` have "labels" (what is known, and how many classes it has) and "view_sizes" at least.
    """
    begin(folder)
    for part, table in tables.items():
        arrays = {"values": table.values, "truths": table.truths}
        save_tensors(folder / f"views_{part}.safetensors", arrays)
        if table.names:
            save_text(folder / f"names_{part}.txt", "".join(f"{one}\n" for one in table.names))
    counts = {part: len(table.values) for part, table in tables.items()}
    return finish(folder, settings, data=counts, **facts)


class TableSet:
    """The data of one prepared part; a `ViewSet`."""

    image_shape: tuple[int, int] | None = None

    def __init__(self, folder: Path | str, part: str, settings: TableSettings) -> None:
        """What was prepared in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others, or it is damaged.
        """
        folder = Path(folder)
        check_prepared(folder, settings)
        told = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        try:
            self.labels: dict[str, int] = dict(told["labels"])
            self.view_sizes: tuple[int, ...] = tuple(told["view_sizes"])
        except KeyError as error:
            raise BadFile(
                f"{folder / SUMMARY}: says no {error}; run diarize prepare again"
            ) from None
        path = folder / f"views_{part}.safetensors"
        arrays, _ = read_tensors(path, ("values", "truths"))
        self._values, self._truths = arrays["values"], arrays["truths"]
        if self._values.shape != (len(self._truths), sum(self.view_sizes)):
            raise BadFile(
                f"{path}: {self._values.shape[1]} values a datum; the views of the summary have "
                f"{sum(self.view_sizes)}"
            )

    def __len__(self) -> int:
        return len(self._values)

    def values(self, chosen: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen value"]:
        """The views of these data one after the other."""
        return self._values[chosen].astype(np.float32)

    def truths(self, chosen: Int64[np.ndarray, " chosen"]) -> Int64[np.ndarray, "chosen column"]:
        """What is known of them."""
        return self._truths[chosen].astype(np.int64)


class TableSupply:
    """Hands out a prepared part in batches of `Views`; a `Supply` of phase "views".

    An epoch goes through all data once, in an order of chance, in whole batches; a part smaller
    than a batch is one batch.
    """

    settings_type: type

    def __init__(self, folder: Path | str, settings: TableSettings) -> None:
        """The supply of what was prepared in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others.
        """
        self.folder, self.settings = Path(folder), settings
        check_prepared(self.folder, settings)

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch has."""
        self._check(phase)
        return max(len(self._data) // self.settings.batch, 1)

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Views]:
        """The batches of epoch `epoch` (from 0), from number `start` on."""
        self._check(phase)
        names = ("views", self.settings.part, epoch)
        order = generator_of(self.settings.seed, *names).permutation(len(self._data))
        batch, n_views = self.settings.batch, len(self._data.view_sizes)
        for number in range(start, self.n_batches(phase)):
            chosen = order[number * batch : (number + 1) * batch]
            chance = generator_of(self.settings.seed, *names, number)
            yield Views(
                torch.from_numpy(self._data.values(chosen)),
                present=present_views(len(chosen), self.settings.missing_share, chance, n_views),
                truths=torch.from_numpy(self._data.truths(chosen)),
            )

    def _check(self, phase: str) -> None:
        if phase not in PHASES:
            raise BadCall(f"no phase {phase!r} of views; there is {PHASES[0]!r}")

    @functools.cached_property
    def _data(self) -> TableSet:
        return TableSet(self.folder, self.settings.part, self.settings)
