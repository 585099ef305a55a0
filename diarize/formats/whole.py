"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from diarize.errors import BadFile


@contextlib.contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it takes that name at the end, or is removed.

    Folders that are missing are made. A pipe or a device is itself what is written to, for it must
    not be replaced by a file.

    Raises:
        BadFile: the folder or the disk does not allow it (any `OSError` inside is taken for that);
            the file that was there before is still there.

    >>> folder = getfixture("tmp_path")
    >>> with whole(folder / "deep" / "a.txt") as unfinished:
    ...     unfinished.write_text("all of it")
    9
    >>> [path.name for path in (folder / "deep").iterdir()]
    ['a.txt']
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            yield unfinished
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise BadFile(
            f"{path}: cannot be written ({error.strerror or error}); "
            "name a place that is writable and has room"
        ) from error
