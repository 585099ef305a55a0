"""CelebA in its own layout: faces that are aligned, 40 attributes, and who is to train on which.

A folder with `img_align_celeba/` (000001.jpg and on, 178 by 218 pixels), `list_attr_celeba.txt`
and `list_eval_partition.txt`, as the corpus is given out. It is licensed for research that is not
commercial; nothing here fetches it.

Source: Liu et al., "Deep learning face attributes in the wild", 2015 (arXiv 1411.7766).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int64, UInt8

from diarize.config import at_least
from diarize.corpora.factors import (
    PARTS,
    Factor,
    FactorImages,
    Part,
    prepared_of,
    save_sets,
)
from diarize.errors import BadFile
from diarize.formats.text import read_rows, shown

IMAGES, ATTRIBUTES = "img_align_celeba", "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"
WIDTH, HEIGHT = 178, 218  # pixels of an aligned face
CENTRE, CROP = (89, 121), 128  # of the square that is kept: Sinha et al., D2C, arXiv 2106.06819


@dataclass(frozen=True)
class CelebaSettings:
    """The `[data]` table of a conf whose corpus is CelebA.

    Attributes:
        celeba: the folder it lies in; without one, `$CORPORA/celeba`.
        seed: of the order of the images.
        side: pixels of an image, after the square around the face is cut out and made smaller.
        n_most: images of each part that are taken, the first ones; 0 takes all, which at 64
            pixels is 2.5 GB.
        batch: images of a batch.
        part: that is trained on.
    """

    corpus: Literal["celeba"] = "celeba"
    celeba: Path | None = None
    seed: int = 42
    side: int = 64
    n_most: int = 0
    batch: int = 128
    part: Part = "train"

    def __post_init__(self) -> None:
        at_least(self, seed=0, side=1, n_most=0, batch=1)

    def prepared(self) -> dict[str, Any]:
        """The settings that what is prepared hangs on, as JSON has them."""
        return {name: value for name, value in prepared_of(self).items() if name != "celeba"}


@dataclass(frozen=True)
class CelebaList:
    """What the two lists say of each image.

    Attributes:
        names: of the files, in the order of the lists.
        levels: 1 where an attribute is there, 0 where not.
        factors: the attributes.
        parts: of each image.
    """

    names: tuple[str, ...]
    levels: Int64[np.ndarray, "image factor"]
    factors: tuple[Factor, ...]
    parts: tuple[Part, ...]


def prepare_celeba(folder: Path | str, settings: CelebaSettings) -> Path:
    """Cut out and shrink all faces, into sets in `folder`; return the summary's path.

    Raises:
        BadFile: the corpus is not there, its lists or an image are not as they should be, or the
            folder cannot be written.
    """
    corpus = settings.celeba or _in_corpora()
    listed = read_lists(corpus)
    sets = {}
    for part in PARTS:
        place = [number for number, own in enumerate(listed.parts) if own == part]
        place = place[: settings.n_most] if settings.n_most else place
        paths = [corpus / IMAGES / listed.names[number] for number in place]
        images = np.empty((len(paths), 3 * settings.side**2), np.uint8)
        for row, path in enumerate(paths):
            images[row] = read_face(path, settings.side)
        sets[part] = FactorImages(images, listed.levels[place], listed.factors, n_planes=3)
    for part in ("train", "test"):
        if not len(sets[part]):
            raise BadFile(f"{corpus / PARTITION}: no image of part {part}; it needs one at least")
    return save_sets(Path(folder), sets, settings, {})


def read_lists(corpus: Path) -> CelebaList:
    """What the lists in the folder `corpus` say.

    Raises:
        BadFile: a list that is not there or not sound; the message has its line.
    """
    path = corpus / ATTRIBUTES
    rows = read_rows(path)
    first = next(rows, None)
    if first is None or len(first.fields) != 1 or not first.fields[0].isdecimal():
        raise BadFile(f"{path}, line 1: the number of images would be right")
    head = next(rows, None)
    factors = tuple(Factor(name, 2) for name in (head.fields if head else ()))
    names, levels = [], []
    for row in rows:
        name, *told = row.fields
        if len(told) != len(factors) or not {*told} <= {"-1", "1"}:
            raise row.error(
                f"{shown(' '.join(told))} of {shown(name)}",
                f"{len(factors)} of 1 and -1 would be right",
            )
        names.append(name)
        levels.append([int(word == "1") for word in told])
    if len(names) != int(first.fields[0]):
        raise first.error(f"{first.fields[0]} images", f"the list has {len(names)}")
    found = np.array(levels, np.int64).reshape(len(names), len(factors))
    return CelebaList(tuple(names), found, factors, _parts(corpus, names))


def _parts(corpus: Path, names: Sequence[str]) -> tuple[Part, ...]:
    parts: dict[str, Part] = {}
    for row in read_rows(corpus / PARTITION):
        if len(row.fields) != 2 or row.fields[1] not in ("0", "1", "2"):
            raise row.error(shown(" ".join(row.fields)), "a file and 0, 1 or 2 would be right")
        told: Part = PARTS[int(row.fields[1])]  # type: ignore[assignment]
        parts[row.fields[0]] = told
    if missing := [name for name in names if name not in parts]:
        raise BadFile(
            f"{corpus / PARTITION}: nothing of {missing[0]}, which {ATTRIBUTES} has; "
            "take both lists of one release"
        )
    return tuple(parts[name] for name in names)


def read_face(path: Path, side: int) -> UInt8[np.ndarray, " value"]:
    """The square around a face, `side` pixels a side: its red plane, then green, then blue.

    Raises:
        BadFile: there is no such image, it is broken, or it is no aligned one.
    """
    from PIL import Image

    try:
        with Image.open(path) as opened:
            if opened.size != (WIDTH, HEIGHT):
                wide, high = opened.size
                raise BadFile(
                    f"{path}: {wide} x {high} pixels; {WIDTH} x {HEIGHT}, the aligned images of "
                    f"{IMAGES}, would be right"
                )
            left, top = CENTRE[0] - CROP // 2, CENTRE[1] - CROP // 2
            square = opened.convert("RGB").crop((left, top, left + CROP, top + CROP))
            small = square.resize((side, side), Image.Resampling.BICUBIC)
            return np.asarray(small, np.uint8).transpose(2, 0, 1).reshape(-1)
    except FileNotFoundError:
        raise BadFile(f"{path}: no such image, and {ATTRIBUTES} has it") from None
    except OSError as error:
        raise BadFile(f"{path}: cannot be read as an image ({error})") from None


def _in_corpora() -> Path:
    named = os.environ.get("CORPORA")
    if named and (place := Path(named) / "celeba").is_dir():
        return place
    raise BadFile(
        f"CelebA: no folder named; celeba = DIR in [data], or $CORPORA/celeba, with {IMAGES}, "
        f"{ATTRIBUTES} and {PARTITION} in it"
    )
