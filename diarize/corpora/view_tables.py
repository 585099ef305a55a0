"""Prepared data in several views, kept as tables of values: a part each, handed out in batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from diarize.corpora.prepared import SUMMARY, begin, check_prepared, finish
from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.corpora.view_supply import ViewSettings
from diarize.errors import BadFile
from diarize.formats.text import save_text

PARTS = ("train", "dev", "test")


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
    settings: ViewSettings,
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

    def __init__(self, folder: Path | str, part: str, settings: ViewSettings) -> None:
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

    @property
    def n_views(self) -> int:
        """Of each datum."""
        return len(self.view_sizes)

    def values(self, chosen: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen value"]:
        """The views of these data one after the other."""
        return self._values[chosen].astype(np.float32)

    def truths(self, chosen: Int64[np.ndarray, " chosen"]) -> Int64[np.ndarray, "chosen column"]:
        """What is known of them."""
        return self._truths[chosen].astype(np.int64)
