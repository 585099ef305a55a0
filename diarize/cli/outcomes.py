"""What `diarize infer` tells of its recordings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from diarize.cli.progress import Told
from diarize.cli.streams import tell

if TYPE_CHECKING:
    from diarize.inference.batch import Outcome
    from diarize.inference.diarize import Diarization


def tell_outcomes(outcomes: Iterable[Outcome], told: Told) -> int:
    """Say what becomes of each recording; return the exit code."""
    done = failed = skipped = 0
    for outcome in outcomes:
        told.next_recording()
        if outcome.error is not None:
            failed += 1
            tell(f"diarize infer: {outcome.error}", outcome.error)
        elif outcome.result is not None:
            done += 1
            tell_notes(outcome.result)
        else:
            skipped += 1
    again = " (--fresh does them again)" if skipped else ""
    tell(f"diarize infer: {done} done, {skipped} already there{again}, {failed} failed")
    return 1 if failed else 0


def tell_notes(result: Diarization) -> None:
    """Say what was done to the audio, and when there is nothing in it."""
    nothing = () if result.annotation else ("nobody is heard to speak",)
    for note in (*result.notes, *nothing):
        tell(f"diarize infer: {result.recording}: {note}")
