"""A manifest: a JSON line a recording, saying where its sound and its truth are."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from diarize.errors import BadCall, BadFile
from diarize.formats.text import read_text, save_text, shown


@dataclass(frozen=True)
class Recording:
    """One recording and what is known of it.

    `recording` is its id in RTTM and UEM files; `audio` the sound; `rttm` who truly spoke
    when, and `uem` which parts count, where that is known; `duration_s` its length in seconds.
    """

    recording: str
    audio: Path
    rttm: Path | None = None
    uem: Path | None = None
    duration_s: float | None = None


KEYS = tuple(field.name for field in fields(Recording))
_PATHS = ("audio", "rttm", "uem")


def read_manifest(path: Path | str) -> list[Recording]:
    """Return the recordings of a manifest, in its order; empty lines are passed over.

    A relative path in it starts at the manifest's folder.

    Raises:
        BadFile: a line is no JSON object, lacks `recording` or `audio`, has a key or a value
            that is not known, or repeats an id; it names the line.
    """
    path = Path(path)
    seen: dict[str, int] = {}
    recordings = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        recording = _recording(line, where, path.parent)
        if recording.recording in seen:
            raise BadFile(
                f"{where}: found the recording {shown(recording.recording)} again "
                f"(first on line {seen[recording.recording]}); ids must differ"
            )
        seen[recording.recording] = number
        recordings.append(recording)
    return recordings


def write_manifest(path: Path | str, recordings: Iterable[Recording]) -> None:
    """Write a manifest whole or not at all.

    Files in the manifest's folder, or below it, are named relative to it, so that the folder
    can be moved; others by their full path.

    Raises:
        BadCall: two recordings have one id.
        BadFile: the file cannot be written.
    """
    folder = Path(path).absolute().parent
    lines, seen = [], set()
    for recording in recordings:
        if recording.recording in seen:
            raise BadCall(
                f"{path}: found the recording {shown(recording.recording)} twice; ids must differ"
            )
        seen.add(recording.recording)
        values = {key: getattr(recording, key) for key in KEYS}
        for key in _PATHS:
            if values[key] is not None:
                full = values[key].absolute()
                inside = full.is_relative_to(folder)
                values[key] = str(full.relative_to(folder) if inside else full)
        kept = {key: value for key, value in values.items() if value is not None}
        lines.append(json.dumps(kept, ensure_ascii=False) + "\n")
    save_text(path, "".join(lines))


def _recording(line: str, where: str, folder: Path) -> Recording:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise BadFile(f"{where}: found no JSON ({error}); give one JSON object a line") from None
    if not isinstance(values, dict):
        raise BadFile(f"{where}: found {type(values).__name__}; give one JSON object a line")
    for key, value in values.items():
        if key not in KEYS:
            raise BadFile(f"{where}: found the key {shown(key)}; there are {', '.join(KEYS)}")
        if not _fits(key, value):
            right = "a positive number" if key == "duration_s" else "a name in quotes, not empty"
            raise BadFile(f"{where}: found {key} = {shown(str(value))}; it must be {right}")
    for key in ("recording", "audio"):
        if values.get(key) is None:
            raise BadFile(f"{where}: found no {key!r}; every recording has one")
    paths: dict[str, Any] = {
        key: folder / values[key] for key in _PATHS if values.get(key) is not None
    }
    return Recording(values["recording"], duration_s=values.get("duration_s"), **paths)


def _fits(key: str, value: object) -> bool:
    if value is None:
        return True
    if key == "duration_s":
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return math.isfinite(value) and value > 0
    return isinstance(value, str) and bool(value)
