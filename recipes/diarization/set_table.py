"""Stage 5: the scores of several sets of recordings, and of two attributors, as one table."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diarize.errors import BadFile, DiarizeError
from diarize.formats.text import read_text, save_text
from diarize.scoring.grid import Grid, aligned, markdown

log = logging.getLogger("set_table")
SYSTEMS = {"score": "as the conf says", "score_msvae": "msvae, trained here"}  # folder, name
HEADER = ("set, attributor", "n", "DER %", "95 %", "miss %", "FA %", "confusion %", "JER %")
HEADER += ("count right %", "correct %", "correlation", "ECE")
FOOT = """\
DER and its parts: collar 0, overlap scored, in the regions of the UEM, % of the reference's
speech, over all recordings of a set together; 95 %: bootstrap interval over recordings. Count
right: recordings with the true number of speakers. Correct: 100 - miss - confusion. Correlation:
of each speaker's posterior with the truth, mean over speakers. ECE: expected calibration error of
that posterior, 10 bins. No number of speakers and no silence was told."""


def read_rows(exp: Path) -> list[tuple[str, ...]]:
    """Return a row a set and attributor that stage 5 scored in `exp`, sets by name.

    Raises:
        BadFile: there is none, or one cannot be read.
    """
    names = sorted({path.name for folder in SYSTEMS for path in (exp / folder).glob("*.json")})
    found = [
        cells(f"{Path(name).stem}, {system}", read_score(exp / folder / name))
        for name in names
        for folder, system in SYSTEMS.items()
        if (exp / folder / name).exists()
    ]
    if not found:
        raise BadFile(f"{exp}: no score/*.json in it; stage 5 writes them")
    return found


def read_score(path: Path) -> dict[str, Any]:
    """Return what `diarize score --json` wrote.

    Raises:
        BadFile: it is something else.
    """
    try:
        values: dict[str, Any] = json.loads(read_text(path))
        values["total"]["rates"]["full"], values["recordings"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{path}: not what diarize score --json writes; score it again") from error
    return values


def cells(name: str, score: dict[str, Any]) -> tuple[str, ...]:
    """Return what stands in the row called `name`, under HEADER."""
    total, full = score["total"], score["total"]["rates"]["full"]
    interval = full.get("der_interval")
    ends = "-".join(percent(interval[end]) for end in ("low", "high")) if interval else "-"
    kinds = ("missed", "false_alarm", "confusion", "jer")
    calibration = total.get("calibration") or {}
    return (
        name,
        str(len(score["recordings"])),
        percent(full["der"]),
        ends,
        *(percent(full[kind]) for kind in kinds),
        percent(total["count_exact_share"]),
        percent(full["correct"]),
        *(decimals(one) for one in (total["correlation"], calibration.get("ece"))),
    )


def percent(share: float | None) -> str:
    """Return a share as percent with one decimal.

    >>> percent(0.2802), percent(None)
    ('28.0', '-')
    """
    return "-" if share is None or math.isnan(share) else f"{100 * share:.1f}"


def decimals(value: float | None) -> str:
    """Return a number with three decimals.

    >>> decimals(0.9304), decimals(None)
    ('0.930', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the table in Markdown to a file, and as plain text to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exp", type=Path, help="where stage 5 wrote score/ and score_msvae/")
    parser.add_argument("--markdown", type=Path, required=True, metavar="FILE")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        grid = Grid("", HEADER, tuple(read_rows(arguments.exp)))
        save_text(arguments.markdown, f"{markdown(grid)}\n{FOOT}\n")
    except DiarizeError as error:
        log.error("set_table.py: %s", error)
        return error.exit_code
    sys.stdout.write("\n".join([*aligned(grid), "", FOOT]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
