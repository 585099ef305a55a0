"""A store of features: what networks heard of a recording, found again by what it came of.

A feature lies in FOLDER/KIND/AB/KEY.safetensors, where KEY is a SHA-256 of all that it depends on
(AB its first two letters): the samples, the settings, the weights, the code. So nothing in a store
goes stale, recordings may be renamed, and any number of programs may use one store at once: a
file appears whole, and two that make the same one make the same bytes.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from diarize.errors import BadFile
from diarize.features.store_file import REMEDY, Stored, open_arrays, read_facts, write_arrays

SUFFIX = ".safetensors"
VARIABLE = "DIARIZE_STORE"  # of the environment: the store in use where none is named
LEFT_AFTER_S = 3600.0  # an unfinished file untouched for so long is nobody's


@dataclass(frozen=True)
class Entry:
    """One file of a store: what it is, how many bytes, and when it was last used (Unix time)."""

    kind: str
    path: Path
    n_bytes: int
    used_s: float

    def facts(self) -> Mapping[str, str]:
        """What it says of itself.

        Raises:
            BadFile: it is broken.
        """
        return read_facts(self.path)


class FeatureStore:
    """Features in a folder, by kind and key.

    >>> store = FeatureStore(getfixture("tmp_path"))
    >>> key = key_of(sound="the checksum of some samples", hop_frames="148")
    >>> store.read("speech", key) is None
    True
    >>> store.write("speech", key, {"speech": np.array([0.5, 1.0])})
    >>> store.read("speech", key).arrays["speech"]
    array([0.5, 1. ])
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise BadFile(f"{folder}: not a folder; a store of features is one")

    def path(self, kind: str, key: str) -> Path:
        """Where the feature of that kind and key lies, or would."""
        return self.folder / kind / key[:2] / f"{key}{SUFFIX}"

    def read(self, kind: str, key: str) -> Stored | None:
        """The feature, mapped into memory, its checksums found right; None if it is not there.

        Raises:
            BadFile: it is cut short, was changed, or is another one's; write it anew.
        """
        path = self.path(kind, key)
        try:
            found = open_arrays(path)
        except FileNotFoundError:
            return None
        if found.facts.get("key") != key:
            raise BadFile(f"{path}: the feature of another key; {REMEDY}")
        with contextlib.suppress(OSError):  # a store may be for reading only
            os.utime(path)  # used now
        return found

    def write(
        self,
        kind: str,
        key: str,
        arrays: Mapping[str, np.ndarray],
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Put a feature into the store, in place of what is there.

        Raises:
            BadFile: the folder or the disk does not allow it.
        """
        write_arrays(self.path(kind, key), arrays, {**(facts or {}), "key": key})

    def entries(self) -> Iterator[Entry]:
        """All that is there, sorted by kind and key; files that vanish meanwhile are left out.

        Raises:
            BadFile: there is no such folder.
        """
        if not self.folder.is_dir():
            raise BadFile(f"{self.folder}: no such folder; name a store of features")
        for kind in sorted(one for one in self.folder.iterdir() if one.is_dir()):
            for path in sorted(kind.glob(f"??/*{SUFFIX}")):
                with contextlib.suppress(FileNotFoundError):
                    known = path.stat()
                    yield Entry(kind.name, path, known.st_size, known.st_mtime)

    def check(self) -> Iterator[tuple[Entry, BadFile | None]]:
        """Each entry, and what is wrong with it, if anything; reads all bytes."""
        for entry in self.entries():
            try:
                key = open_arrays(entry.path).facts.get("key")
            except BadFile as error:
                yield entry, error
            except FileNotFoundError:
                continue
            else:
                right = f"{key}{SUFFIX}" == entry.path.name
                wrong = BadFile(f"{entry.path}: the feature of another key; {REMEDY}")
                yield entry, None if right else wrong

    def prune(
        self, older_than_s: float | None = None, at_most_bytes: int | None = None
    ) -> list[Entry]:
        """Remove what was not used for so long, then the longest unused until no more is left.

        Unfinished files that nobody writes any more go too, and are not counted. What is mapped
        by a program at work stays readable to it. Returns what was removed.
        """
        now_s = time.time()
        kept = sorted(self.entries(), key=lambda entry: entry.used_s)
        n_bytes = sum(entry.n_bytes for entry in kept)
        gone = []
        for entry in kept:
            old = older_than_s is not None and now_s - entry.used_s > older_than_s
            if old or (at_most_bytes is not None and n_bytes > at_most_bytes):
                entry.path.unlink(missing_ok=True)
                n_bytes -= entry.n_bytes
                gone.append(entry)
        for path in self.folder.glob("*/??/.*.part"):
            with contextlib.suppress(FileNotFoundError):
                if now_s - path.stat().st_mtime > LEFT_AFTER_S:
                    path.unlink()
        return gone


def store_in_use() -> FeatureStore | None:
    """The store that the environment names, if it names one.

    Raises:
        BadFile: it names a file.
    """
    folder = os.environ.get(VARIABLE)
    return FeatureStore(folder) if folder else None


def key_of(**parts: str) -> str:
    """The key of a feature that depends on these, all named: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def digest_of(*arrays: np.ndarray) -> str:
    """A SHA-256 of arrays: of their types, shapes and values.

    >>> digest_of(np.zeros(2)) == digest_of(np.zeros(2, np.float32))
    False
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def sound_digest(samples: Float[np.ndarray, " time"], rate_hz: int) -> str:
    """What tells these samples from any others, whatever file they came in."""
    return digest_of(np.array([rate_hz]), samples)


def code_digest(modules: Iterable[str]) -> str:
    """A SHA-256 of what the modules of these names do; comments and docstrings do not count.

    A feature whose key holds it is made anew where the code that makes it is another.
    """
    return hashlib.sha256("".join(_code_of(name) for name in modules).encode()).hexdigest()


@cache
def _code_of(module: str) -> str:
    found = importlib.util.find_spec(module)
    assert found is not None  # names are those of our own modules
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body[0] = ast.Pass()
    return f"{module}: {ast.dump(tree)}"
