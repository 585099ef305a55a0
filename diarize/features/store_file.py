"""Arrays in one file: each with a checksum, written whole, read by mapping it into memory.

The file is a safetensors file, which other programs can read; its metadata hold facts, a SHA-256 of
each array, and a seal over all of the header.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from diarize.errors import BadCall, BadFile
from diarize.formats.whole import whole

DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"), "I32": np.dtype("<i4"), "U8": np.dtype("u1"), "BOOL": np.dtype("?"),
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}
METADATA = "__metadata__"
LENGTH_BYTES = 8  # of the header, little-endian, at the file's beginning
ALIGN = 64  # bytes: where arrays may begin
BLOCK_BYTES = 1 << 20  # read at once for a checksum
REMEDY = "remove it, and it is made again"


@dataclass(frozen=True)
class Stored:
    """What a file holds: arrays that lie in it, and words about them.

    An array is read from the disk as it is used, and takes memory that the system may take back.
    It may be written to; the file stays as it is. Whoever wants to be rid of the file removes or
    replaces it, which is safe at any time; one cut short in its place takes its readers with it.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, str]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]) -> None:
    """Write the arrays and facts to `path`, whole or not at all; the same give the same bytes.

    Raises:
        BadCall: an array of a type that is not kept.
        BadFile: the folder or the disk does not allow it.
    """
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))  # all aligned
    tidy = {name: np.asarray(arrays[name], order="C") for name in order}
    header: dict[str, Any] = {}
    at = 0
    for name, array in tidy.items():
        if array.dtype not in NAMES:
            raise BadCall(
                f"{name}: an array of {array.dtype}; there are {', '.join(NAMES.values())}"
            )
        span = [at, at + array.nbytes]
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": span,
        }
        at = span[1]
    sums = {name: hashlib.sha256(_bytes_of(array)).hexdigest() for name, array in tidy.items()}
    header[METADATA] = {"facts": _json(dict(facts)), "sha256": _json(sums)}
    header[METADATA]["seal"] = _seal(header)
    text = _json(header).encode()
    text += b" " * (-(LENGTH_BYTES + len(text)) % ALIGN)
    with whole(path) as unfinished, unfinished.open("wb") as file:
        file.write(len(text).to_bytes(LENGTH_BYTES, "little"))
        file.write(text)
        for array in tidy.values():
            file.write(_bytes_of(array))


def open_arrays(path: Path) -> Stored:
    """What `write_arrays` wrote to `path`, found to be all of it, and unchanged.

    Raises:
        FileNotFoundError: there is no such file.
        BadFile: it is cut short, was changed, or is something else.
    """
    try:
        with path.open("rb") as file:
            header, start = _header(path, file)
            sums = json.loads(header[METADATA]["sha256"])
            for name, one in _entries(header):
                if _checksum(file, start, one["data_offsets"]) != sums[name]:
                    raise BadFile(f"{path}: {name} is not what was written; {REMEDY}")
            content = np.asarray(np.memmap(file, mode="c"))  # written to, the file stays
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    arrays = {}
    for name, one in _entries(header):
        first, end = one["data_offsets"]
        values = content[start + first : start + end].view(DTYPES[one["dtype"]])
        arrays[name] = values.reshape(one["shape"])
    return Stored(arrays, json.loads(header[METADATA]["facts"]))


def read_facts(path: Path) -> Mapping[str, str]:
    """The facts alone; the header is checked, the arrays are not looked at.

    Raises:
        FileNotFoundError: there is no such file.
        BadFile: it is cut short, its header was changed, or it is something else.
    """
    try:
        with path.open("rb") as file:
            facts: dict[str, str] = json.loads(_header(path, file)[0][METADATA]["facts"])
            return facts
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error


def _header(path: Path, file: BinaryIO) -> tuple[dict[str, Any], int]:
    """The header, and where the arrays begin; all of it is there, and it is as it was written."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    start = LENGTH_BYTES + length
    if size < LENGTH_BYTES or size < start:
        raise BadFile(f"{path}: cut short, at {size} bytes; {REMEDY}")
    try:
        header = json.loads(file.read(length))
        sealed = header[METADATA]["seal"] == _seal(header)
    except (ValueError, KeyError, TypeError):  # of arbitrary bytes
        raise BadFile(f"{path}: no file of stored features; {REMEDY}") from None
    if not sealed:
        raise BadFile(f"{path}: its header is not what was written; {REMEDY}")
    end = start + max((one["data_offsets"][1] for _, one in _entries(header)), default=0)
    if size != end:
        told = "cut short" if size < end else "longer than what was written"
        raise BadFile(f"{path}: {told}, {size} bytes of {end}; {REMEDY}")
    return header, start


def _entries(header: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, one in header.items():
        if name != METADATA:
            yield name, one


def _seal(header: Mapping[str, Any]) -> str:
    told = {name: text for name, text in header[METADATA].items() if name != "seal"}
    return hashlib.sha256(_json({**header, METADATA: told}).encode()).hexdigest()


def _checksum(file: BinaryIO, start: int, span: list[int]) -> str:
    """SHA-256 of a part of the file, read through one small buffer."""
    digest, buffer = hashlib.sha256(), bytearray(BLOCK_BYTES)
    file.seek(start + span[0])
    left = span[1] - span[0]
    while left:
        n_read = file.readinto(memoryview(buffer)[: min(left, BLOCK_BYTES)])  # type: ignore[attr-defined]
        if not n_read:
            break
        digest.update(memoryview(buffer)[:n_read])
        left -= n_read
    return digest.hexdigest()


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
