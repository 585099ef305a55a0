"""Who spoke when: speaker diarization that says how sure it is. And music taken apart.

    from diarize import Diarizer, Separator
    result = Diarizer()("meeting.wav")
    tracks = Separator()("song.wav")

Importing this package loads nothing heavy; the first use of a name does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diarize.formats.tracks import Tracks
    from diarize.inference.diarize import Diarization, Diarizer, DiarizerSettings
    from diarize.inference.separate import Separator, SeparatorSettings

__version__ = "0.1.0"
__all__ = [
    "Diarization",
    "Diarizer",
    "DiarizerSettings",
    "Separator",
    "SeparatorSettings",
    "Tracks",
    "__version__",
]
_PLACES = {  # where each name is made, loaded when it is first used
    "Diarization": "diarize.inference.diarize",
    "Diarizer": "diarize.inference.diarize",
    "DiarizerSettings": "diarize.inference.diarize",
    "Separator": "diarize.inference.separate",
    "SeparatorSettings": "diarize.inference.separate",
    "Tracks": "diarize.formats.tracks",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'diarize' has no attribute {name!r}")
