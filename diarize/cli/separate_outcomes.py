"""What `diarize separate` tells of its songs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from diarize.cli.progress import Told
from diarize.cli.streams import print_result, tell

if TYPE_CHECKING:
    from diarize.inference.separate_files import Separated


def tell_songs(outcomes: Iterable[Separated], told: Told) -> int:
    """Print the paths of stems, say what else becomes of each song; return the exit code."""
    done = failed = skipped = 0
    for outcome in outcomes:
        told.next_recording()
        if outcome.error is not None:
            failed += 1
            tell(f"diarize separate: {outcome.error}", outcome.error)
        elif outcome.skipped:
            skipped += 1
        else:
            done += 1
            print_result("".join(f"{path}\n" for path in outcome.paths))
        for note in outcome.notes:
            tell(f"diarize separate: {outcome.source.recording}: {note}")
    again = " (--fresh does them again)" if skipped else ""
    tell(f"diarize separate: {done} done, {skipped} already there{again}, {failed} failed")
    return 1 if failed else 0
