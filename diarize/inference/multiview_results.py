"""What a model of several views made of data, as files in a folder.

Files in the folder of a result, each whole or not there; those of a run that was stopped are kept:

    latents_train, latents_PART   posterior means of training data, and of those tried on
    made.safetensors              views made of some data: rebuilt, across, of all others, swapped
    samples_PRIOR.safetensors     views made of nothing but a prior
    views.json                    the model, the data and the settings; written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diarize.corpora.tensors import read_tensors
from diarize.errors import BadFile
from diarize.formats.text import read_text

ABOUT = "views.json"
IDENTITY = "made of"
_ON_THE_FLY = ("batch", "part", "missing_share")  # of a training; they change nothing prepared


@dataclass(frozen=True)
class AboutViews:
    """What a result is of.

    Attributes:
        name: what tables call the model.
        kind: its name among the models.
        checksum: of its weights.
        data: the corpus, and the settings it was prepared by.
        part: that was tried on.
        view_sizes: how many values each view has.
        priors: that were drawn from.
        labels: what is known of data, and how many classes it has.
        image_shape: planes and side of images; None where views are none.
    """

    name: str
    kind: str
    checksum: str
    data: Mapping[str, Any]
    part: str
    view_sizes: tuple[int, ...]
    priors: tuple[str, ...]
    labels: Mapping[str, int]
    image_shape: tuple[int, int] | None


def read_about_views(folder: Path) -> AboutViews:
    """What the result in `folder` is of.

    Raises:
        BadFile: there is none, or it is damaged.
    """
    path = folder / ABOUT
    try:
        told: dict[str, Any] = json.loads(read_text(path))
        for name in ("view_sizes", "priors"):
            told[name] = tuple(told[name])
        shape = told.pop("image_shape")
        return AboutViews(**told, image_shape=tuple(shape) if shape else None)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: not what diarize images infer writes of views") from None


def on_the_same_data(one: AboutViews, other: AboutViews) -> bool:
    """Whether two results are of the same part of the same data, and so can be compared."""
    told = [
        {
            **about.data,
            "settings": {
                name: value
                for name, value in about.data["settings"].items()
                if name not in _ON_THE_FLY
            },
        }
        for about in (one, other)
    ]
    return told[0] == told[1] and one.part == other.part


def read_made(folder: Path, what: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of one of the files of a result; images as float32 from 0 to 1.

    Raises:
        BadFile: it is not there, or lacks one of them.
    """
    arrays, _ = read_tensors(folder / f"{what}.safetensors", names)
    return {
        name: array.astype(np.float32) / 255 if array.dtype == np.uint8 else array
        for name, array in arrays.items()
    }


def is_made(path: Path, identity: str) -> bool:
    """Whether `path` is whole, and made of just what `identity` says."""
    try:
        return read_tensors(path, ())[1].get(IDENTITY) == identity
    except BadFile:
        return False
