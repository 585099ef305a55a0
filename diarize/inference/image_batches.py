"""A set of mixtures in batches, and what was found in them put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from diarize.inference.image_results import ImageResult, Mode, Seconds
from diarize.models.contract import Attribution


def batches(
    counts: Int64[np.ndarray, " mixture"], mode: Mode, size: int
) -> Iterator[tuple[Int64[np.ndarray, " row"], int | None]]:
    """Which mixtures go together, and how many sources the model is told that each has."""
    everyone = np.arange(len(counts))
    groups: list[tuple[Int64[np.ndarray, " row"], int | None]] = [(everyone, None)]
    if mode == "given":
        groups = [(everyone[counts == count], int(count)) for count in np.unique(counts)]
    for rows, count in groups:
        for start in range(0, len(rows), size):
            yield rows[start : start + size], count


class Gathered:
    """The parts of a result, as they come batch by batch in any order of mixtures."""

    def __init__(self, n_mixtures: int) -> None:
        self.counts = np.zeros(n_mixtures, np.int64)
        self.images: list[np.ndarray] = [np.empty((0, 0), np.float16)] * n_mixtures
        self.rows: list[np.ndarray] = []
        self.parts: dict[str, list[np.ndarray]] = {"pattern": [], "presence": [], "probability": []}

    def add(self, rows: Int64[np.ndarray, " row"], found: Attribution) -> None:
        """Take in what was found in the mixtures `rows`; of streams only those that are on."""
        self.rows.append(rows)
        on = found.pattern
        if on is None:
            on = torch.ones(found.sources.shape[:2], dtype=torch.bool)
        chosen = _array(found.sources)[_array(on)].astype(np.float16)
        counts = _array(on).sum(axis=1)
        self.counts[rows] = counts
        for row, part in zip(rows.tolist(), np.split(chosen, counts.cumsum()[:-1]), strict=True):
            self.images[row] = part
        for name, parts in self.parts.items():
            if (value := getattr(found, name)) is not None:
                array = _array(value)
                parts.append(array if array.dtype == bool else array.astype(np.float32))

    def result(self, seconds: Seconds, identity: Mapping[str, Any]) -> ImageResult:
        """Everything, in the order of the mixtures."""
        order = np.argsort(np.concatenate(self.rows))
        whole = {
            name: np.concatenate(parts)[order] if parts else None
            for name, parts in self.parts.items()
        }
        has_pattern = all(value is not None for value in whole.values())
        if not has_pattern:
            whole = dict.fromkeys(whole)
        facts = {**identity, "has_pattern": has_pattern}
        images = np.concatenate(self.images)
        return ImageResult(images, self.counts, **whole, seconds=seconds, identity=facts)


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().cpu().numpy())
