"""Which prepared sets of mixtures there are to test on, and which results are of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from diarize.errors import BadFile
from diarize.formats.text import read_text
from diarize.inference.image_results import ImageResult, Mode, place, read_result


def prepared_sets(data: Path) -> tuple[str, ...]:
    """The sets of mixtures that were prepared in `data` to test on.

    Raises:
        BadFile: there are none.
    """
    path = data / "summary.json"
    try:
        sets = json.loads(read_text(path))["mixtures"]
        names = tuple(name for name in sets if name.startswith("test_"))
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadFile):
            raise
        names = ()
    if not names:
        raise BadFile(f"{path}: tells of no mixtures to test on; run diarize prepare digits again")
    return names


def read_checked(folder: Path, data: Path, name: str, mode: Mode) -> ImageResult:
    """A result, which is of the set that lies in `data`.

    Raises:
        BadFile: it is of another set of that name, or broken.
    """
    path = place(folder, name, mode)
    result = read_result(path)
    if result.identity["set_sha256"] != sha256_of(data / f"{name}.safetensors"):
        raise BadFile(f"{path}: made of another {name} than the one in {data}; infer again")
    return result


def sha256_of(path: Path) -> str:
    """The sha256 of a file.

    Raises:
        BadFile: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror}); prepare it first") from None
