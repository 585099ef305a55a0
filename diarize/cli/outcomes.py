"""What `diarize infer` tells of its recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from diarize.cli.progress import Told
from diarize.cli.streams import tell

if TYPE_CHECKING:
    from diarize.inference.batch import Outcome
    from diarize.inference.diarize import Diarization


WORTH_TELLING = 0.05  # a number of speakers less probable than that is not spoken of
SURE_ENOUGH = 0.75  # if one is more probable than that, none is


def tell_outcomes(outcomes: Iterable[Outcome], told: Told) -> int:
    """Say what becomes of each recording; return the exit code."""
    done = failed = skipped = 0
    counts = ""
    for outcome in outcomes:
        told.next_recording()
        if outcome.error is not None:
            failed += 1
            tell(f"diarize infer: {outcome.error}", outcome.error)
        elif outcome.result is not None:
            done += 1
            _tell_notes(outcome.result)
            counts = speaker_counts_text(outcome.result.speaker_counts)
        else:
            skipped += 1
    if done + failed + skipped == 1 and counts:
        tell(f"diarize infer: {counts}")
    again = " (--fresh does them again)" if skipped else ""
    tell(f"diarize infer: {done} done, {skipped} already there{again}, {failed} failed")
    return 1 if failed else 0


def tell_notes(result: Diarization) -> None:
    """Say of a single recording what was done to it, and how many may be heard, when in doubt."""
    _tell_notes(result)
    counts = speaker_counts_text(result.speaker_counts)
    if counts:
        tell(f"diarize infer: {counts}")


def speaker_counts_text(speaker_counts: Mapping[int, float]) -> str:
    """How many speakers there may be, the likeliest first; empty where one number is likely enough.

    >>> speaker_counts_text({2: 0.04, 3: 0.71, 4: 0.24, 5: 0.01})
    'speakers: 3 (71 %), 4 (24 %)'
    """
    likely = [(share, n) for n, share in speaker_counts.items() if share > WORTH_TELLING]
    if len(likely) < 2 or max(likely)[0] > SURE_ENOUGH:
        return ""
    likely.sort(key=lambda one: (-one[0], one[1]))
    return "speakers: " + ", ".join(f"{n} ({100 * share:.0f} %)" for share, n in likely)


def _tell_notes(result: Diarization) -> None:
    nothing = () if result.annotation else ("nobody is heard to speak",)
    for note in (*result.notes, *nothing):
        tell(f"diarize infer: {result.recording}: {note}")
