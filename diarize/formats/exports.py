"""A diarization as JSON, which also holds how sure it is, and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pyannote.core import Annotation, Segment

from diarize.errors import BadCall, BadFile
from diarize.formats.activity import Activity
from diarize.formats.text import SHORTEST_S, read_text, shown

CSV_HEADER = ("recording", "start_s", "end_s", "speaker", "probability")
_DECIMALS = 3  # of a second: milliseconds, as in RTTM


@dataclass(frozen=True)
class Export:
    """One recording's diarization and all that is said about it.

    `probability` holds how sure a turn is, by its (segment, track); `speaker_counts` how probable
    each number of speakers is; `made_with` where it came from (version, settings, weights),
    anything that JSON can hold.
    """

    annotation: Annotation
    recording: str
    duration_s: float
    probability: Mapping[tuple[Segment, Hashable], float] = field(default_factory=dict)
    activity: Activity | None = None
    made_with: Mapping[str, Any] = field(default_factory=dict)
    speaker_counts: Mapping[int, float] = field(default_factory=dict)


def json_text(export: Export) -> str:
    """Return a JSON object: recording, duration_s, speakers, turns, and what else is known.

    Times are rounded to the millisecond, probabilities to two decimals; a number of speakers whose
    probability is then 0 is left out. A turn and a speaker's row of frames take one line each.
    Equal results give equal bytes.

    Raises:
        BadCall: a duration, time or probability is not finite.
    """
    turns = _turns(export)
    parts = {
        "recording": _json(export.recording),
        "duration_s": _json(_finite(export.duration_s, "duration_s")),
        "speakers": _lines([_json(entry) for entry in _speakers(export.annotation)], "[]"),
        "turns": _lines([_json(turn) for turn in turns], "[]"),
    }
    counts = _counts(export.speaker_counts)
    if counts:
        parts["speaker_counts"] = _json(counts)
    if export.activity is not None:
        activity = export.activity
        rows = [
            f"{_json(speaker)}: {_frames(row)}"
            for speaker, row in zip(activity.speakers, activity.posterior, strict=True)
        ]
        parts["activity"] = (
            f'{{"hop_s": {_json(activity.hop_s)}, "start_s": {_json(activity.start_s)}, '
            f'"posterior": {_lines(rows, "{}")}}}'
        )
    if export.made_with:
        parts["made_with"] = _json(dict(export.made_with))
    return "{\n" + ",\n".join(f"  {_json(key)}: {text}" for key, text in parts.items()) + "\n}\n"


def csv_text(export: Export) -> str:
    """Return a CSV table: a header, then a line a turn; an unknown probability stays empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for turn in _turns(export):
        start, end = f"{turn['start_s']:.3f}", f"{turn['end_s']:.3f}"
        sure = f"{turn['probability']:.2f}" if "probability" in turn else ""
        writer.writerow((export.recording, start, end, turn["speaker"], sure))
    return text.getvalue()


def read_json(path: Path | str) -> Export:
    """Return the diarization that `json_text` wrote.

    The tracks of the annotation are the turns' places in the file, from 0.

    Raises:
        BadFile: it is no JSON, or a part of it is missing or of another kind; names the part.
    """
    reader = _Reader(path)
    try:
        values = json.loads(read_text(path))
    except ValueError as error:
        if isinstance(error, BadFile):
            raise
        raise reader.error(
            "the file", f"no JSON ({error})", "what `--format json` writes"
        ) from None
    recording = reader.get(values, "recording", str)
    duration_s = reader.number(values, "duration_s", 0.0)
    records: list[tuple[Segment, int, str]] = []
    probability: dict[tuple[Segment, Hashable], float] = {}
    for index, turn in enumerate(reader.get(values, "turns", list)):
        where = f"turns[{index}]"
        start_s, end_s = (reader.number(turn, key, 0.0, where) for key in ("start_s", "end_s"))
        if end_s - start_s <= SHORTEST_S:
            raise reader.error(f"{where}.end_s", f"{end_s:g}", f"more than start_s, {start_s:g}")
        segment = Segment(start_s, end_s)
        records.append((segment, index, reader.get(turn, "speaker", str, where)))
        if "probability" in turn:
            probability[segment, index] = reader.number(turn, "probability", 0.0, where)
    return Export(
        Annotation.from_records(iter(records), uri=recording),
        recording,
        duration_s,
        probability,
        reader.posterior(values["activity"]) if "activity" in values else None,
        reader.get(values, "made_with", dict) if "made_with" in values else {},
        reader.counts(values) if "speaker_counts" in values else {},
    )


@dataclass(frozen=True)
class _Reader:
    """Takes parts out of parsed JSON, and says which one is wrong."""

    path: Path | str

    def error(self, where: str, found: str, right: str) -> BadFile:
        return BadFile(f"{self.path}, {where}: found {found}; it must be {right}")

    def get(self, values: Any, key: str, kind: type, where: str = "") -> Any:
        name = f"{where}.{key}" if where else key
        right = {"str": "text", "list": "a list", "dict": "an object"}[kind.__name__]
        if not isinstance(values, dict):
            raise self.error(where or "the file", type(values).__name__, "an object")
        if key not in values:
            raise self.error(name, "nothing", right)
        if not isinstance(values[key], kind):
            raise self.error(name, shown(str(values[key])), right)
        return values[key]

    def number(self, values: Any, key: str, least: float, where: str = "") -> float:
        name = f"{where}.{key}" if where else key
        right = f"a number, {least:g} or more"
        if not isinstance(values, dict) or key not in values:
            raise self.error(name, "nothing", right)
        value = values[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(name, shown(str(value)), right)
        if not math.isfinite(value) or value < least:
            raise self.error(name, f"{value:g}", right)
        return float(value)

    def counts(self, values: Any) -> dict[int, float]:
        found: dict[int, float] = {}
        entries = self.get(values, "speaker_counts", dict)
        for name in entries:
            if not (name.isascii() and name.isdigit()):
                raise self.error("speaker_counts", shown(name), "numbers of speakers, 0 or more")
            share = self.number(entries, name, 0.0, "speaker_counts")
            if share > 1:
                raise self.error(f"speaker_counts.{name}", f"{share:g}", "a probability, 0 to 1")
            found[int(name)] = share
        return found

    def posterior(self, activity: Any) -> Activity:
        rows = self.get(activity, "posterior", dict, "activity")
        hop_s = self.number(activity, "hop_s", SHORTEST_S, "activity")
        try:
            values = np.array(list(rows.values()) or np.zeros((0, 0)), dtype=float)
            if values.ndim != 2:
                raise ValueError
        except (ValueError, TypeError):
            right = "as many numbers for each speaker"
            raise self.error("activity.posterior", "rows that do not fit", right) from None
        if not ((values >= 0) & (values <= 1)).all():
            raise self.error("activity.posterior", "values outside 0..1", "probabilities")
        start_s = self.number(activity, "start_s", 0.0, "activity")
        return Activity(values, hop_s, tuple(rows), start_s)


def _turns(export: Export) -> list[dict[str, Any]]:
    turns = []
    for segment, track, label in export.annotation.itertracks(yield_label=True):
        start_s = round(_finite(float(segment.start), "a turn"), _DECIMALS)
        end_s = round(_finite(float(segment.end), "a turn"), _DECIMALS)
        turn: dict[str, Any] = {"start_s": start_s, "end_s": end_s, "speaker": str(label)}
        sure = export.probability.get((segment, track))
        if sure is not None:
            turn["probability"] = round(_finite(float(sure), "a probability"), 2)
        if end_s > start_s:
            turns.append(turn)
    return sorted(turns, key=lambda turn: (turn["start_s"], turn["end_s"], turn["speaker"]))


def _speakers(annotation: Annotation) -> list[dict[str, Any]]:
    return [
        {"name": str(label), "speech_s": round(float(annotation.label_duration(label)), _DECIMALS)}
        for label in annotation.labels()
    ]


def _counts(counts: Mapping[int, float]) -> dict[str, float]:
    shares = {
        str(int(n_speakers)): round(_finite(float(counts[n_speakers]), "a probability"), 2)
        for n_speakers in sorted(counts)
    }
    return {n_speakers: share for n_speakers, share in shares.items() if share}


def _frames(row: Float[np.ndarray, " frame"]) -> str:
    if not np.isfinite(row).all():
        raise BadCall("found a posterior that is not finite; probabilities lie in 0..1")
    # the shortest form of two decimals: 0.5 and not 0.50, 1 and not 1.0
    return "[" + ",".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in row.tolist()) + "]"


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise BadCall(f"found {name} at {value}; it must be a finite number")
    return value


def _lines(entries: list[str], brackets: str) -> str:
    if not entries:
        return brackets
    inside = ",\n".join(f"    {entry}" for entry in entries)
    return f"{brackets[0]}\n{inside}\n  {brackets[1]}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
