"""JSON objects, one a line, in a file that may be gzipped: read strictly, written whole."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from diarize.errors import BadFile
from diarize.formats.text import shown
from diarize.formats.whole import whole


class Line:
    """One object of a file, and where it stands; its values are taken strictly."""

    def __init__(self, where: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise BadFile(f"{where}: found {type(values).__name__}; expected a JSON object")
        self.where = where
        self.values: Mapping[str, Any] = values

    def word(self, key: str) -> str:
        """A name, not empty.

        Raises:
            BadFile: it is anything else; so do the others.
        """
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(key, value, "a name in quotes")
        return value

    def number(self, key: str, least: float | int = float("-inf")) -> float:
        """A number, `least` or more."""
        value = self.values.get(key)
        right = "a number" + (f", {least:g} or more" if least == 0 else "")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(key, value, right)
        if not math.isfinite(value) or value < least:
            raise self.error(key, value, right)
        return float(value)

    def count(self, key: str) -> int:
        """A whole number, 1 or more."""
        value = self.number(key, 0)
        if value != int(value) or value < 1:
            raise self.error(key, self.values.get(key), "a whole number, 1 or more")
        return int(value)

    def channels(self, key: str) -> tuple[int, ...]:
        """One whole number or several; 0 where nothing is said."""
        value = self.values.get(key, 0)
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(one, int) for one in listed):
            raise self.error(key, value, "a channel, or a list of them")
        return tuple(listed)

    def objects(self, key: str) -> Iterator[Line]:
        """The objects in a list; none where nothing is said."""
        value = self.values.get(key) or []
        if not isinstance(value, list):
            raise self.error(key, value, "a list")
        yield from (Line(f"{self.where}, {key}", one) for one in value)

    def error(self, key: str, value: Any, right: str) -> BadFile:
        """The error to raise about the value of a key."""
        return BadFile(
            f"{self.where}: found {key} = {shown(json.dumps(value))}; it must be {right}"
        )


def read_lines(path: Path) -> Iterator[Line]:
    """The objects of a file, one at a time; gzipped if it is called so.

    Raises:
        BadFile: it cannot be read, or a line is none of an object; it names the line.
    """
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    where = f"{path}, line {number}"
                    yield Line(where, _parsed(text, where))
    except BadFile:
        raise
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadFile(f"{path}: cannot be read ({reason}); expected .jsonl or .jsonl.gz") from None


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadFile(f"{where}: found no JSON ({error}); expected one object a line") from None


def save_lines(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Write objects, a line each, gzipped if `path` ends so, whole or not at all.

    Raises:
        BadFile: the folder or the disk does not allow it.
    """
    with whole(path) as unfinished, unfinished.open("wb") as file:
        if path.suffix == ".gz":  # without a name and a time in it: the same give the same bytes
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
                for one in objects:
                    zipped.write(json.dumps(one, ensure_ascii=False).encode() + b"\n")
        else:
            for one in objects:
                file.write(json.dumps(one, ensure_ascii=False).encode() + b"\n")
