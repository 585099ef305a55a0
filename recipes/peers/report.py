"""Stage 6: scores and times of all systems as one table, with what they were made on."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timing import Timing, quiet_factor, read_timing, realtime_factor, slowdown

from diarize.errors import BadFile, DiarizeError
from diarize.formats.text import save_text

log = logging.getLogger("report")
OURS = "ours"
HEADER = (
    *("system", "DER %", "95 %", "miss %", "FA %", "confusion %", "JER %", "count right"),
    *("RTF warm", "RTF quietest", "x ours", "peak RSS MiB", "start-up s", "first recording s"),
)
FOOT = """\
DER and its parts: collar 0, overlap scored, in the regions of the UEM; % of the reference's speech,
over all recordings together; 95 %: bootstrap interval over recordings. Count right: recordings with
the true number of speakers. No system was told a number.
RTF warm: seconds of work over seconds of audio, median (least-most) of {rounds} round(s) on
{threads} thread(s), all systems asked in turn; quietest: each recording's quickest round; x ours:
how many times as long as ours, round by round. Start-up: from the command to readiness, imports and
the system's own warm-up included; after it the first recording, which no other figure counts."""


@dataclass(frozen=True)
class Row:
    """One system: its timing, and the total of its score under the full convention."""

    timing: Timing
    total: dict[str, Any]
    n_right: int
    n_recordings: int


def read_rows(exp: Path) -> list[Row]:
    """Return a row a system that was measured and scored in `exp`, ours first, then by name.

    Raises:
        BadFile: a system was measured but not scored, or nothing was measured.
    """
    rows = []
    for path in sorted(exp.glob("*/timing.json"), key=lambda p: (p.parent.name != OURS, p)):
        score = path.with_name("score.json")
        if not score.exists():
            raise BadFile(f"{score}: not there; stage 5 writes it")
        values = json.loads(score.read_text())
        each = values["recordings"]
        n_right = sum(one["n_reference"] == one["n_hypothesis"] for one in each)
        rows.append(Row(read_timing(path), values["total"]["rates"]["full"], n_right, len(each)))
    if not rows:
        raise BadFile(f"{exp}: no */timing.json in it; stage 4 writes them")
    return rows


def cells(row: Row, ours: Timing | None) -> list[str]:
    """Return what stands in a system's row, under HEADER."""
    total, interval = row.total, row.total["der_interval"]
    ends = [percent(interval[end]) for end in ("low", "high")] if interval else ["-"]
    kinds = ("missed", "false_alarm", "confusion", "jer")
    return [
        row.timing.system,
        percent(total["der"]),
        "-".join(ends) if interval else "-",
        *(percent(total[kind]) for kind in kinds),
        f"{row.n_right}/{row.n_recordings}",
        str(realtime_factor(row.timing)),
        f"{quiet_factor(row.timing):.4f}",
        str(slowdown(row.timing, ours)) if ours and row.timing is not ours else "-",
        f"{row.timing.peak_rss_mib:.0f}",
        f"{row.timing.start_s:.1f}",
        f"{row.timing.first_s:.1f}",
    ]


def percent(share: float | None) -> str:
    """Return a share as percent with one decimal.

    >>> percent(0.2802), percent(None)
    ('28.0', '-')
    """
    return "-" if share is None or math.isnan(share) else f"{100 * share:.1f}"


def markdown(rows: Sequence[Row], machine: dict[str, Any]) -> str:
    """Return the table and its foot: definitions, versions, machine, and what went wrong."""
    ours = next((row.timing for row in rows if row.timing.system == OURS), None)
    table = [list(HEADER), ["---"] * len(HEADER), *(cells(row, ours) for row in rows)]
    lines = ["| " + " | ".join(line) + " |" for line in table]
    timing = rows[0].timing
    lines += ["", FOOT.format(rounds=len(timing.rounds), threads=timing.threads), ""]
    for row in rows:
        versions = ", ".join(f"{name} {version}" for name, version in row.timing.versions.items())
        lines.append(f"- {row.timing.system}: {versions}")
        lines += [
            f"  - could not do {key} (counted as nobody found): {error}"
            for key, error in row.timing.failures.items()
        ]
        if row.timing.changed:
            lines.append(f"  - other turns in another round: {', '.join(row.timing.changed)}")
    total_s = sum(timing.audio_s.values())
    load = ", ".join(f"{value:.1f}" for value in machine["load_average"])
    lines += [
        f"- recordings: {len(timing.audio_s)}, {total_s:.1f} s, sha256 {machine['data_sha256']}",
        f"- machine: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; load average at the end: {load}",
        f"- commit: {machine['commit']}",
    ]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run stage 6; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exp", type=Path, help="where stages 4 and 5 wrote")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="the table, Markdown")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        machine = json.loads((arguments.exp / "machine.json").read_text())
        text = markdown(read_rows(arguments.exp), machine)
        save_text(arguments.output, text)
    except DiarizeError as error:
        log.error("report.py: %s", error)
        return error.exit_code
    log.info("%s", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
