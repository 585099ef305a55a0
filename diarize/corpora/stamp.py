"""What a folder of recordings was made of, so that it is made once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.text import save_text

STAMP = "fetched.json"
LISTS = ("manifest.jsonl", "ref.rttm", "all.uem")


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What fetching did: `is_new` is False where all was there; `notes` are for the user."""

    manifest: Path
    n_recordings: int
    is_new: bool
    notes: tuple[str, ...] = ()


def stamp_of(corpus: str, settings: Any, **more: object) -> dict[str, Any]:
    """The stamp of a corpus made with these settings (a dataclass)."""
    made = {"corpus": corpus, "settings": dataclasses.asdict(settings), **more}
    plain: dict[str, Any] = json.loads(json.dumps(made, default=str))
    return plain


def finished(folder: Path, stamp: Mapping[str, Any]) -> Fetched | None:
    """What lies in `folder`, if it is whole and was made by this very stamp; else None.

    Raises:
        BadCall: the folder holds another corpus, which is not to be written over.
    """
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        corpus = found["corpus"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if corpus != stamp["corpus"]:
        raise BadCall(f"{folder}: holds the corpus {corpus!r}; choose another folder for --data")
    if found != stamp or not all((folder / name).is_file() for name in LISTS):
        return None
    try:
        recordings = read_manifest(folder / "manifest.jsonl")
    except BadFile:
        return None
    if not all(one.audio.is_file() for one in recordings):
        return None
    return Fetched(folder / "manifest.jsonl", len(recordings), is_new=False)


def mark(folder: Path, stamp: Mapping[str, Any]) -> None:
    """Say that `folder` is whole: the last thing to be written."""
    save_text(folder / STAMP, json.dumps(stamp, indent=2, sort_keys=True) + "\n")
