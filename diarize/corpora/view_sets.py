"""Prepared data in several views, part by part, by the corpus's name: to infer and score on."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from diarize.config import build
from diarize.errors import BadCall

SETS = {  # a class, and the settings it is made with
    "polymnist": (
        "diarize.corpora.polymnist:PolymnistImages",
        "diarize.corpora.polymnist_settings:PolymnistSettings",
    ),
    "cub": ("diarize.corpora.cub:CubSet", "diarize.corpora.cub:CubSettings"),
    "tcga": ("diarize.corpora.tcga:TcgaSet", "diarize.corpora.tcga:TcgaSettings"),
}


@runtime_checkable
class ViewSet(Protocol):
    """The data of one part of a corpus.

    Attributes:
        labels: what is known of data, and how many classes it has; the first is what all views
            share, the second, if there is one, each view's own.
        image_shape: planes and side of a view's images; None where views are no images.
    """

    labels: Mapping[str, int]
    image_shape: tuple[int, int] | None

    def __len__(self) -> int:
        """How many data there are."""
        ...

    def values(self, chosen: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen value"]:
        """The views of these data one after the other, flattened."""
        ...

    def truths(self, chosen: Int64[np.ndarray, " chosen"]) -> Int64[np.ndarray, "chosen column"]:
        """The shared class, then that of each view; -1 where it is not known."""
        ...


def open_views(
    corpus: str, folder: Path | str, part: str, settings: Mapping[str, Any], where: str
) -> ViewSet:
    """The data of `part` of what was prepared in `folder`; `where` names settings in errors.

    Raises:
        BadCall: a corpus without views.
        BadFile: nothing was prepared there, or by other settings.
    """
    if corpus not in SETS:
        raise BadCall(f"corpus {corpus!r} has no views; there are {', '.join(SETS)}")
    made, settings_type = (_named(path) for path in SETS[corpus])
    found: ViewSet = made(Path(folder), part, build(settings_type, settings, where))
    return found


def _named(path: str) -> Any:
    module, attribute = path.split(":")
    return getattr(importlib.import_module(module), attribute)
