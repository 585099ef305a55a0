"""The idx format of MNIST: a magic number, the sizes, then one byte after another."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from diarize.errors import BadFile

UNSIGNED_BYTE = 0x08  # the only kind of number that MNIST has
_GZIP = b"\x1f\x8b"


def read_bytes(path: Path | str) -> bytes:
    """What the file at `path` holds, unpacked where it is packed by gzip (whatever its name).

    Raises:
        BadFile: it cannot be read, or is packed and broken.
    """
    try:
        content = Path(path).read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadFile(f"{path}: not a whole gzip file ({error}); fetch it again") from None
    except OSError as error:
        raise BadFile(
            f"{path}: cannot be read ({error.strerror}); give an idx file that is there"
        ) from None


def parse_idx(content: bytes, n_axes: int, path: Path | str) -> UInt8[np.ndarray, "*axes"]:
    """The array in `content`; nothing about it may be wrong. `path` is for the messages.

    Raises:
        BadFile: another magic number than that of unsigned bytes on `n_axes` axes, or more or
            fewer bytes than the sizes tell.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 9]), 1, "labels")
    array([5, 9], dtype=uint8)
    """
    magic = bytes([0, 0, UNSIGNED_BYTE, n_axes])
    if content[:4] != magic:
        raise BadFile(
            f"{path}: begins with {content[:4].hex() or 'nothing'}; an idx file of bytes on "
            f"{n_axes} {'axis' if n_axes == 1 else 'axes'} begins with {magic.hex()}"
        )
    start = 4 + 4 * n_axes
    if len(content) < start:
        raise BadFile(f"{path}: ends after {len(content)} bytes, within its sizes; fetch it again")
    sizes = struct.unpack(f">{n_axes}I", content[4:start])
    if len(content) - start != math.prod(sizes):
        told = " x ".join(map(str, sizes))
        raise BadFile(
            f"{path}: {len(content) - start} bytes of data; its sizes, {told}, tell "
            f"{math.prod(sizes)}; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def idx_bytes(array: UInt8[np.ndarray, "*axes"]) -> bytes:
    """The contents of an idx file that holds `array`.

    >>> idx_bytes(np.array([5, 9], np.uint8)).hex()
    '00000801000000020509'
    """
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + sizes + array.tobytes()
