"""A manifest shared out to jobs, a file each."""

from __future__ import annotations

import contextlib
import hashlib
import json
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from diarize.errors import BadCall, BadFile
from diarize.formats.whole import whole

AT_ONCE = 200  # files open at a time
N_BINS = 256  # of fingerprints of ids, so that sorting one takes no memory to speak of


def split_manifest(path: Path, n_jobs: int) -> list[Path]:
    """Return a manifest for each job, beside the whole one, for its paths start at its folder.

    Recordings go round, so that neighbours, which are often alike in length, are shared out. There
    are as many files as jobs, or as recordings when these are fewer; one job has the manifest as it
    is. Lines are copied as they stand, eight bytes a recording are kept in memory.

    Raises:
        BadCall: fewer than one job.
        BadFile: a manifest that cannot be read, holds no recording or one id twice, or a line that
            is no recording; a part that cannot be written.
    """
    if n_jobs < 1:
        raise BadCall(f"--nj {n_jobs}: at least 1 would be right")
    n_recordings = _check(path)
    n_shards = min(n_jobs, n_recordings)
    if n_shards == 1:
        return [path]
    names = [
        path.with_name(f"{path.stem}.{number}-of-{n_shards}{path.suffix}")
        for number in range(1, n_shards + 1)
    ]
    for first in range(0, n_shards, AT_ONCE):
        _write(path, names, range(first, min(first + AT_ONCE, n_shards)))
    return names


def _write(path: Path, names: list[Path], mine: range) -> None:
    """Write those shards whose numbers are `mine`, each whole or not at all."""
    with contextlib.ExitStack() as stack:
        parts: dict[int, BinaryIO] = {}
        for number in mine:
            unfinished = stack.enter_context(whole(names[number]))
            parts[number] = stack.enter_context(unfinished.open("wb"))
        for number, (_, line) in enumerate(_lines(path)):
            part = parts.get(number % len(names))
            if part is not None:
                part.write(line.rstrip(b"\r\n") + b"\n")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers from 1."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror}); expected a manifest") from None


def _check(path: Path) -> int:
    """Return how many recordings there are; each id must stand there once.

    Two recordings of one id would otherwise fall to two jobs, which write to one place.
    """
    bins = [array("Q") for _ in range(N_BINS)]
    n_recordings = 0
    for number, line in _lines(path):
        mark = _fingerprint(_id_of(path, number, line))
        bins[mark % N_BINS].append(mark)
        n_recordings += 1
    if not n_recordings:
        raise BadFile(f"{path}: no recordings in it; expected a JSON line for each")
    for marks in bins:
        ordered = sorted(marks)
        for one, other in pairwise(ordered):
            if one == other:
                _tell_twice(path, one)
    return n_recordings


def _tell_twice(path: Path, mark: int) -> None:
    seen: dict[str, int] = {}
    for number, line in _lines(path):
        name = _id_of(path, number, line)
        if _fingerprint(name) != mark:
            continue
        if name in seen:
            raise BadFile(
                f"{path}, line {number}: found the recording {name!r} again (first on line "
                f"{seen[name]}); ids must differ"
            )
        seen[name] = number


def _fingerprint(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _id_of(path: Path, number: int, line: bytes) -> str:
    try:
        name = json.loads(line)["recording"]
    except (ValueError, KeyError, TypeError, IndexError):
        name = None
    if not isinstance(name, str) or not name:
        raise BadFile(f"{path}, line {number}: found no recording; give a JSON object with its id")
    return name
