"""RTTM, the NIST format of who spoke when: one line a turn.

`SPEAKER file channel start duration <NA> <NA> speaker <NA> [<NA>]`, times in seconds. The
channels of one file are pooled. A line of another NIST type is passed over; a word that is no
NIST type is an error, so that a slip of the pen cannot lose a turn.

Source: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", app. A.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path

from pyannote.core import Annotation, Segment

from diarize.errors import BadCall
from diarize.formats.text import (
    SHORTEST_S,
    Row,
    one_word,
    read_rows,
    recording_id,
    save_text,
    shown,
)

__all__ = ["read_rttm", "recording_id", "rttm_text", "save_rttm", "words_of"]

OTHER_TYPES = {
    *("SEGMENT", "NOSCORE", "NO_RT_METADATA", "SPKR-INFO", "LEXEME", "NON-LEX", "NON-SPEECH"),
    *("FILLER", "EDIT", "IP", "SU", "CB", "A/P"),
}


def read_rttm(path: Path | str) -> dict[str, Annotation]:
    """Return the turns of each recording in an RTTM file, by recording id, sorted by id.

    Turns of one speaker that overlap are kept as they stand; scoring merges them.
    A file without turns gives no recordings: silence is a legal answer.

    Raises:
        BadFile: a line with another number of fields, a time that is no number, a negative
            start, a duration that is not positive, or no text at all; it names the line.
    """
    records: dict[str, list[tuple[Segment, int, str]]] = {}
    for row in read_rows(path):
        if row.fields[0] == "SPEAKER":
            segment = _segment(row)
            records.setdefault(row.fields[1], []).append((segment, row.number, row.fields[7]))
        elif row.fields[0] not in OTHER_TYPES:
            raise row.error(f"the type {shown(row.fields[0])}", "a turn begins with SPEAKER")
    return {
        recording: Annotation.from_records(iter(turns), uri=recording)
        for recording, turns in sorted(records.items())
    }


def rttm_text(annotation: Annotation, recording: str) -> str:
    """Return an RTTM file's text: a line a turn, sorted by start, end and speaker.

    Times have three decimals; both ends of a turn are rounded, so turns that touch still do,
    and a turn that rounds to 0.000 s is left out. Equal annotations give equal bytes.

    Raises:
        BadCall: a turn starts before 0 or at no finite time, or two speakers' names become
            the same word.

    >>> turns = Annotation()
    >>> turns[Segment(0.5, 2)] = "Ann B"
    >>> print(rttm_text(turns, "call"), end="")
    SPEAKER call 1 0.500 1.500 <NA> <NA> Ann_B <NA> <NA>
    """
    words = words_of(annotation)
    turns = []
    for segment, _, label in annotation.itertracks(yield_label=True):
        if not math.isfinite(segment.end) or not segment.start >= 0:
            raise BadCall(
                f"{recording}: found a turn from {segment.start:g} s to {segment.end:g} s; "
                "turns start at 0 s or later and end"
            )
        start_ms, end_ms = round(segment.start * 1000), round(segment.end * 1000)
        if end_ms > start_ms:
            turns.append((start_ms, end_ms, words[label]))
    return "".join(
        f"SPEAKER {one_word(recording)} 1 {start_ms / 1000:.3f} {(end_ms - start_ms) / 1000:.3f} "
        f"<NA> <NA> {word} <NA> <NA>\n"
        for start_ms, end_ms, word in sorted(turns)
    )


def save_rttm(path: Path | str, annotations: Mapping[str, Annotation]) -> None:
    """Write the turns of each recording, in the order of their ids, whole or not at all.

    Raises:
        BadCall: as `rttm_text`.
        BadFile: the file cannot be written.
    """
    save_text(path, "".join(rttm_text(annotations[key], key) for key in sorted(annotations)))


def words_of(annotation: Annotation) -> dict[Hashable, str]:
    """Return each speaker's name as one word, by label.

    Raises:
        BadCall: two names become the same word.
    """
    words = {label: one_word(str(label)) for label in annotation.labels()}
    if len(set(words.values())) < len(words):
        taken = list(words.values())
        twice = next(word for word in taken if taken.count(word) > 1)
        raise BadCall(
            f"found two speakers whose names both become {shown(twice)}; "
            "names must differ in more than blanks"
        )
    return words


def _segment(row: Row) -> Segment:
    if len(row.fields) not in (9, 10):
        raise row.error(
            f"{len(row.fields)} fields",
            "a SPEAKER line has 9 or 10, and names in it hold no blanks",
        )
    start_s = row.seconds(3, "start")
    duration_s = row.seconds(4, "duration")
    if duration_s <= SHORTEST_S:
        raise row.error(f"the duration {shown(row.fields[4])}", "a turn lasts longer than 0 s")
    return Segment(start_s, start_s + duration_s)
