"""Who spoke when: speaker diarization that says how sure it is.

    from diarize import Diarizer
    result = Diarizer()("meeting.wav")

Importing this package loads nothing heavy; the first use of a name does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diarize.inference.diarize import Diarization, Diarizer, DiarizerSettings

__version__ = "0.1.0"
__all__ = ["Diarization", "Diarizer", "DiarizerSettings", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("Diarization", "Diarizer", "DiarizerSettings"):
        from diarize.inference import diarize

        return getattr(diarize, name)
    raise AttributeError(f"module 'diarize' has no attribute {name!r}")
