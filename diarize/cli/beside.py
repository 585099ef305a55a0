"""`--beside NAME=DIR`: other results, to be judged beside the first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from diarize.errors import BadCall


def beside(said: Iterable[str], taken: Iterable[str] = ()) -> dict[str, Path]:
    """The folder under each name; `taken` are the names of what there is already.

    Raises:
        BadCall: no NAME=DIR, or a name for the second time.

    >>> beside(["other=some/folder"])["other"].as_posix()
    'some/folder'
    """
    names, found = set(taken), {}
    for words in said:
        name, sign, folder = words.partition("=")
        if not (name and sign and folder) or name in names:
            raise BadCall(f"--beside {words}; NAME=DIR with a new name would be right")
        names.add(name)
        found[name] = Path(folder)
    return found
