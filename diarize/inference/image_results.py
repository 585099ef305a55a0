"""What a model made of sets of mixtures, as files: one a set and mode, and one about all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int64

from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadFile
from diarize.formats.text import read_text, save_text

Mode = Literal["given", "unknown"]
MODES: tuple[Mode, ...] = ("given", "unknown")
ABOUT = "about.json"
_WORD = "about"
_OPTIONAL = ("pattern", "presence", "probability")


@dataclass(frozen=True)
class Seconds:
    """How long a batch took, the median of whole batches; None where there was no telling.

    Attributes:
        batch: mixtures of a batch.
        everything: to attribute it: which sources there are, how sure that is, what each is like.
        networks: to encode and decode it alone, as the paper has it.
        machine: what did it, in words.
    """

    batch: int
    everything: float | None
    networks: float | None
    machine: str


@dataclass(frozen=True)
class Origin:
    """Which model made results, and on what it was trained.

    Attributes:
        name: what tables call it.
        kind: its name among the models.
        checksum: of its weights.
        labelled_share: of its training images, whose class it was told; None where not known.
        presence: of a stream in the mixtures it was trained on, on average.
        noise_scale: in these.
        learned: "pi" of each stream and "b", as far as the model has them.
    """

    name: str
    kind: str
    checksum: str
    labelled_share: float | None = None
    presence: float | None = None
    noise_scale: float | None = None
    learned: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageResult:
    """What was found in a set of mixtures.

    Attributes:
        images: all separated ones, a mixture's together, in ascending order of stream where the
            model has any.
        counts: how many of them each mixture has.
        pattern, presence, probability: as in `contract.Attribution`; None if it has none.
        seconds: that it took.
        identity: what decides all that: set, mode, model, settings.
    """

    images: Float16[np.ndarray, "image pixel"]
    counts: Int64[np.ndarray, " mixture"]
    pattern: Bool[np.ndarray, "mixture stream"] | None
    presence: Float32[np.ndarray, "mixture stream"] | None
    probability: Float32[np.ndarray, " mixture"] | None
    seconds: Seconds
    identity: Mapping[str, Any]

    def starts(self) -> Int64[np.ndarray, " mixture"]:
        """Where in `images` the first of each mixture is."""
        return np.asarray(np.cumsum(self.counts) - self.counts)


@dataclass(frozen=True)
class About:
    """What a folder of results holds.

    Attributes:
        origin: of all of them.
        there: the modes of each set that there are results of.
        missing: why there are none of the others, by "SET MODE".
    """

    origin: Origin
    there: Mapping[str, tuple[Mode, ...]]
    missing: Mapping[str, str]


def place(folder: Path, name: str, mode: Mode) -> Path:
    """Where the results of the set `name` are."""
    return folder / f"{name}.{mode}.safetensors"


def save_result(path: Path, result: ImageResult) -> None:
    """Write a result, whole or not at all.

    Raises:
        BadFile: it cannot be written.
    """
    arrays = {"images": result.images, "counts": result.counts}
    arrays |= {name: value for name in _OPTIONAL if (value := getattr(result, name)) is not None}
    told = {"seconds": asdict(result.seconds), "identity": dict(result.identity)}
    save_tensors(path, arrays, {_WORD: json.dumps(told)})


def read_result(path: Path) -> ImageResult:
    """What `save_result` wrote.

    Raises:
        BadFile: there is no such file, or it is broken or another.
    """
    told = _told(path)
    has_pattern = bool(told["identity"].get("has_pattern"))
    names = ("images", "counts", *(_OPTIONAL if has_pattern else ()))
    arrays, _ = read_tensors(path, names)
    if int(arrays["counts"].sum()) != len(arrays["images"]):
        raise BadFile(f"{path}: not as many images as it says; run diarize images infer again")
    parts = {name: arrays.get(name) for name in _OPTIONAL}
    seconds = Seconds(**told["seconds"])
    return ImageResult(
        arrays["images"], arrays["counts"], **parts, seconds=seconds, identity=told["identity"]
    )


def is_result(path: Path, identity: Mapping[str, Any]) -> bool:
    """Whether there is a whole result with this identity."""
    try:
        made = _told(path)["identity"]
    except BadFile:
        return False
    return {**made, "has_pattern": None} == {**identity, "has_pattern": None}


def save_about(folder: Path, about: About) -> Path:
    """Write `about.json`, which is the last file of a folder of results."""
    text = json.dumps(asdict(about), indent=2, ensure_ascii=False) + "\n"
    save_text(folder / ABOUT, text)
    return folder / ABOUT


def read_about(folder: Path) -> About:
    """What a folder of results holds.

    Raises:
        BadFile: `diarize images infer` has not finished there.
    """
    path = folder / ABOUT
    if not path.exists():
        raise BadFile(f"{path}: no such file; run diarize images infer -o {folder} to its end")
    try:
        told = json.loads(read_text(path))
        there = {name: tuple(modes) for name, modes in told["there"].items()}
        return About(Origin(**told["origin"]), there, told["missing"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: not what diarize images infer writes; run it again") from None


def _told(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise BadFile(f"{path}: no such file; run diarize images infer again")
    _, facts = read_tensors(path, ())
    try:
        told: dict[str, Any] = json.loads(facts[_WORD])
        told["identity"]["set"], told["seconds"]["batch"]
    except (ValueError, KeyError, TypeError):
        raise BadFile(f"{path}: not what diarize images infer writes; run it again") from None
    return told
