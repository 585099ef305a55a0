"""UEM, the NIST format of what is scored: `file channel start end` a line, in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyannote.core import Segment, Timeline

from diarize.formats.text import SHORTEST_S, one_word, read_rows, save_text, shown


def read_uem(path: Path | str) -> dict[str, Timeline]:
    """Return the scored regions of each recording in a UEM file, by recording id, sorted by id.

    Regions that overlap or touch are merged; the channels of one file are pooled.

    Raises:
        BadFile: a line with another number of fields, a time that is no number or negative,
            an end that is not after its start; it names the line.
    """
    regions: dict[str, list[Segment]] = {}
    for row in read_rows(path):
        if len(row.fields) != 4:
            raise row.error(
                f"{len(row.fields)} fields",
                "a UEM line has 4 (file channel start end), and file names hold no blanks",
            )
        start_s, end_s = row.seconds(2, "start"), row.seconds(3, "end")
        if end_s - start_s <= SHORTEST_S:
            raise row.error(
                f"the end {shown(row.fields[3])} for the start {shown(row.fields[2])}",
                "a region ends after it starts",
            )
        regions.setdefault(row.fields[0], []).append(Segment(start_s, end_s))
    return {
        recording: Timeline(segments, uri=recording).support()
        for recording, segments in sorted(regions.items())
    }


def uem_text(timeline: Timeline, recording: str) -> str:
    """Return a UEM file's text: a line a region, merged and sorted, with three decimals.

    >>> print(uem_text(Timeline([Segment(0, 30)]), "call"), end="")
    call 1 0.000 30.000
    """
    return "".join(
        f"{one_word(recording)} 1 {region.start:.3f} {region.end:.3f}\n"
        for region in timeline.support()
        if f"{region.start:.3f}" != f"{region.end:.3f}"
    )


def save_uem(path: Path | str, timelines: Mapping[str, Timeline]) -> None:
    """Write the regions of each recording, in the order of their ids, whole or not at all.

    Raises:
        BadFile: the file cannot be written.
    """
    save_text(path, "".join(uem_text(timelines[key], key) for key in sorted(timelines)))
