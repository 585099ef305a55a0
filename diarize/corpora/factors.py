"""Sets of images and what is true of each: the factors that made it, its class, its attributes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from diarize.corpora.prepared import Preparable, begin, finish
from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadCall, BadFile

PARTS = ("train", "dev", "test")
Part = Literal["train", "dev", "test"]
ON_THE_FLY = ("batch", "part")  # settings that change nothing of what is prepared
_FACTORS, _PLANES = "factors", "n_planes"


@dataclass(frozen=True)
class Factor:
    """Something that varies from image to image.

    Attributes:
        name: what tables call it.
        n_levels: its values are 0 to one less.
        is_ordered: whether more is more; the values of others are classes.
    """

    name: str
    n_levels: int
    is_ordered: bool = True


@dataclass(frozen=True)
class FactorImages:
    """Images of one size, and the level of each factor in each.

    Attributes:
        images: 0 to 255; the planes (of colour) of an image follow one another in its row.
        levels: of each factor, in the order of `factors`.
        n_planes: 1 for grey, 3 for red, green and blue.
    """

    images: UInt8[np.ndarray, "image value"]
    levels: Int64[np.ndarray, "image factor"]
    factors: tuple[Factor, ...]
    n_planes: int = 1

    def __post_init__(self) -> None:
        if self.levels.shape != (len(self.images), len(self.factors)):
            raise BadCall(
                f"levels of shape {self.levels.shape} for {len(self.images)} images of "
                f"{len(self.factors)} factors; a row an image and a column a factor would be right"
            )
        for factor, found in zip(self.factors, self.levels.T, strict=True):
            if len(found) and not 0 <= found.min() <= found.max() < factor.n_levels:
                raise BadCall(
                    f"{factor.name} goes {found.min()} to {found.max()}; "
                    f"0 to {factor.n_levels - 1} would be right"
                )

    def __len__(self) -> int:
        return len(self.images)

    def floats(self) -> Float32[np.ndarray, "image value"]:
        """The images as a model takes them, 0 to 1."""
        return self.images.astype(np.float32) / 255

    def attributes(self) -> tuple[Bool[np.ndarray, "image attribute"], tuple[str, ...]]:
        """What is so or not so of each image: a factor's upper half, or being of a class.

        >>> shade, kind = Factor("shade", 4), Factor("kind", 2, is_ordered=False)
        >>> levels = np.array([[0, 1], [2, 0]])
        >>> some = FactorImages(np.zeros((2, 1), np.uint8), levels, (shade, kind))
        >>> some.attributes()[0].tolist(), some.attributes()[1]
        ([[False, False, True], [True, True, False]], ('shade', 'kind 0', 'kind 1'))
        """
        columns, names = [], []
        for factor, found in zip(self.factors, self.levels.T, strict=True):
            if factor.is_ordered:
                columns.append(found >= (factor.n_levels + 1) // 2)
                names.append(factor.name)
            else:
                columns += [found == level for level in range(factor.n_levels)]
                names += [f"{factor.name} {level}" for level in range(factor.n_levels)]
        empty = np.zeros((len(self.images), 0), bool)
        return np.stack(columns, axis=1) if columns else empty, tuple(names)


def prepared_of(settings: Any) -> dict[str, Any]:
    """The settings that what is prepared hangs on, as JSON has them."""
    told = json.loads(json.dumps(dataclasses.asdict(settings), default=str))
    return {name: value for name, value in told.items() if name not in ON_THE_FLY}


def save_sets(
    folder: Path, sets: Mapping[str, FactorImages], settings: Preparable, about: Mapping[str, Any]
) -> Path:
    """Write `train`, `dev` and `test` into `folder`, and a summary last; return its path.

    An empty set is not written. The same sets give the same bytes.

    Raises:
        BadFile: the folder cannot be written.
    """
    begin(folder)
    for part in PARTS:
        path, images = folder / f"{part}.safetensors", sets.get(part)
        if images is None or not len(images):
            path.unlink(missing_ok=True)
            continue
        factors = json.dumps([dataclasses.asdict(factor) for factor in images.factors])
        arrays = {"images": images.images, "levels": images.levels}
        save_tensors(path, arrays, {_FACTORS: factors, _PLANES: str(images.n_planes)})
    counts = {part: len(images) for part, images in sets.items()}
    return finish(folder, settings, images=counts, **about)


def read_set(folder: Path | str, part: Part) -> FactorImages:
    """One of the sets that were prepared in `folder`.

    Raises:
        BadFile: there is no such file, or it is another.
    """
    path = Path(folder) / f"{part}.safetensors"
    arrays, facts = read_tensors(path, ("images", "levels"))
    try:
        factors = tuple(Factor(**told) for told in json.loads(facts[_FACTORS]))
        return FactorImages(arrays["images"], arrays["levels"], factors, int(facts[_PLANES]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{path}: no set of images ({error}); run diarize prepare again") from None
