"""A review in writing: a table to read, TSV for a spreadsheet, JSON for a program."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

from diarize.formats.text import one_word
from diarize.inference.review import MISSED, WHO, Doubt, Review
from diarize.scoring.grid import Grid, aligned

COLUMNS = tuple(field.name for field in dataclasses.fields(Doubt))


def review_table(review: Review, recording: str) -> str:
    """Return aligned text: the list, and how much of the expected error it holds.

    Times are of a clock, `minutes:seconds`; `hear` is the worst moment; `p` the mean posterior.
    """
    rows = tuple(
        (
            doubt.kind,
            *(_clock(time_s) for time_s in (doubt.start_s, doubt.end_s, doubt.worst_s)),
            one_word(doubt.speaker),
            f"{doubt.probability:.2f}",
            _other(doubt),
            "" if doubt.other_probability is None else f"{doubt.other_probability:.2f}",
            f"{doubt.expected_s:.2f}",
        )
        for doubt in review.doubts
    )
    header = ("kind", "from", "to", "hear", "speaker", "p", "other", "p", "error s")
    lines = aligned(Grid(recording, header, rows)) if rows else []
    return "\n".join([*lines, review_total(review, recording)]) + "\n"


def review_total(review: Review, recording: str) -> str:
    """Return a line: the error that is expected in all, and how much of it is listed.

    >>> review_total(Review((), 0, 0.0), "call")
    'call: 0.0 s of error expected; 0 of 0 places listed hold 0.0 s (100 %)'
    """
    listed = f"{len(review.doubts)} of {review.n_found} places listed hold"
    share = f"{review.listed_s:.1f} s ({100 * review.listed_share:.0f} %)"
    return f"{one_word(recording)}: {review.expected_s:.1f} s of error expected; {listed} {share}"


def review_tsv(review: Review, recording: str) -> str:
    """Return a header and a line a place, parted by tabs; times in seconds, no other: empty."""
    lines = [("recording", *COLUMNS)]
    for doubt in review.doubts:
        cells = (_cell(value) for value in _values(doubt).values())
        lines.append((_cell(recording), *cells))
    return "".join("\t".join(line) + "\n" for line in lines)


def review_json(review: Review, recording: str) -> str:
    """Return a JSON object: recording, the sums, and the places, a line each."""
    places = ",\n".join(
        f"    {json.dumps(_values(doubt), ensure_ascii=False)}" for doubt in review.doubts
    )
    head = {
        "recording": recording,
        "expected_s": round(review.expected_s, 3),
        "listed_s": round(review.listed_s, 3),
        "n_found": review.n_found,
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(head[key], ensure_ascii=False)}" for key in head]
    lines.append(f'  "places": [\n{places}\n  ]' if places else '  "places": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


WRITERS: dict[str, Callable[[Review, str], str]] = {
    "table": review_table,
    "tsv": review_tsv,
    "json": review_json,
}


def _values(doubt: Doubt) -> dict[str, str | float | None]:
    values = dataclasses.asdict(doubt)
    return {key: round(one, 3) if isinstance(one, float) else one for key, one in values.items()}


def _cell(value: str | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return " ".join((value or "").split())  # neither a tab nor a new line


def _other(doubt: Doubt) -> str:
    """The other speaker, and what is with him.

    A turn may be another's instead; what was missed lies beside a turn or where nobody was written.
    """
    if doubt.kind == WHO:
        return f"or {one_word(str(doubt.other))}"
    if doubt.kind == MISSED:
        return f"over {one_word(doubt.other)}" if doubt.other else "over nobody"
    return ""


def _clock(time_s: float) -> str:
    """Minutes and seconds as a player shows them, to a tenth.

    >>> _clock(59.96), _clock(3723.44)
    ('1:00.0', '62:03.4')
    """
    tenths = round(time_s * 10)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
