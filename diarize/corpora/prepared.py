"""What lies in a folder that was prepared, and by which settings: a summary, written last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from diarize.errors import BadFile
from diarize.formats.text import save_text

SUMMARY = "summary.json"


@runtime_checkable
class Preparable(Protocol):
    """Settings of a corpus that is prepared."""

    def prepared(self) -> dict[str, Any]:
        """Those that what is prepared hangs on, as JSON has them."""
        ...


def begin(folder: Path) -> None:
    """Take the summary away: what lies there is not whole until there is a new one.

    Raises:
        BadFile: it cannot be removed, or there can be no such folder.
    """
    path = folder / SUMMARY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise BadFile(f"{path}: cannot be removed ({error.strerror})") from None


def finish(folder: Path, settings: Preparable, **facts: Any) -> Path:
    """Write the summary, the settings first, and return its path.

    Raises:
        BadFile: it cannot be written.
    """
    summary = {"settings": settings.prepared(), **facts}
    save_text(folder / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    return folder / SUMMARY


def check_prepared(folder: Path, settings: Preparable) -> None:
    """Nothing, if what lies in `folder` was prepared by these settings.

    Raises:
        BadFile: it was not; the message names the setting.
    """
    path = folder / SUMMARY
    try:
        made = json.loads(path.read_text(encoding="utf-8"))["settings"]
    except FileNotFoundError:
        raise BadFile(f"{path}: no such file; run diarize prepare first") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{path}: cannot be read ({error}); run diarize prepare again") from None
    for name, wanted in settings.prepared().items():
        if made.get(name) != wanted:
            raise BadFile(
                f"{path}: prepared with {name} = {made.get(name)}, and {wanted} is wanted; "
                "run diarize prepare again, or name another folder"
            )
