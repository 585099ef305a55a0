"""Taking files out of a zip or tar archive, each whole or not at all."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from diarize.errors import BadFile
from diarize.formats.whole import whole

Place = Callable[
    [PurePosixPath], str | None
]  # where a member goes, under the folder; None: nowhere


def unpack(archive: Path, folder: Path, place: Place) -> list[Path]:
    """Take out the files that `place` gives a place to; the paths of all, sorted.

    What is there with the right length is kept, so that unpacking goes on where it was stopped.

    Raises:
        BadFile: no sound archive, a place outside the folder, or a disk that does not take it.
    """
    made = []
    try:
        with _members(archive) as members:
            for name, n_bytes, stream in members:
                inside = place(PurePosixPath(name))
                if inside is None:
                    continue
                path = folder / inside
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise BadFile(f"{archive}: {name} would lie outside {folder}; not unpacked")
                if not (path.is_file() and path.stat().st_size == n_bytes):
                    with (
                        whole(path) as unfinished,
                        stream() as source,
                        unfinished.open("wb") as out,
                    ):
                        shutil.copyfileobj(source, out, 1 << 20)
                made.append(path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, ValueError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{archive}: no sound archive ({error}); remove it and fetch again") from None
    return sorted(made)


Member = tuple[str, int, Callable[[], IO[bytes]]]


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    """The files in an archive: name, length in bytes, and how to open each."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            yield (
                (one.filename, one.file_size, lambda one=one: packed.open(one))  # type: ignore[misc]
                for one in packed.infolist()
                if not one.is_dir()
            )
        return
    if not tarfile.is_tarfile(archive):
        raise BadFile(f"{archive}: no sound archive; remove it and fetch again")
    with tarfile.open(archive) as packed_tar:
        yield (
            (one.name, one.size, lambda one=one: packed_tar.extractfile(one))  # type: ignore[misc]
            for one in packed_tar
            if one.isfile()
        )
