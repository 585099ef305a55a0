"""`diarize score REF HYP`: how right a result is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diarize.cli.score_stems import add_options, are_stems, run_stems
from diarize.errors import BadCall

NO_UEM = (
    "NO UEM: each recording is scored from the first to the last boundary of reference and "
    "hypothesis, so two systems may be scored on different extents; name one with --uem"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this verb takes."""
    add = parser.add_argument
    told = "an RTTM file, or a folder of *.rttm; or a folder of songs in stems"
    add("reference", type=Path, metavar="REF", help=told)
    add("hypothesis", type=Path, metavar="HYP", help="the same, or .json from `diarize infer`")
    add("--uem", type=Path, metavar="FILE", help="the regions to score (UEM)")
    add("--json", metavar="FILE", help="write everything as JSON; - for standard output")
    add("--csv", metavar="FILE", help="write a line a recording and convention; - likewise")
    add(
        "--convention",
        choices=("full", "fair", "forgiving", "all"),
        default="all",
        help="full: no collar, overlap scored; fair: collar +-0.25 s, overlap scored; "
        "forgiving: collar +-0.25 s, overlap not scored (default: all, full first)",
    )
    add("--seed", type=int, default=0, help="of the bootstrap interval (default: 0)")
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score, and print the table, or what was asked for on standard output instead."""
    if arguments.json == arguments.csv == "-":
        raise BadCall("found --json - and --csv -; only one can have standard output")
    if arguments.seed < 0:
        raise BadCall(f"found --seed {arguments.seed}; a seed is 0 or more")
    if are_stems(arguments.reference):
        return run_stems(arguments)
    from diarize.formats.text import save_text
    from diarize.formats.uem import read_uem
    from diarize.scoring import exports, pairing, result, table

    uem = read_uem(arguments.uem) if arguments.uem else None
    reference = pairing.read_turns(arguments.reference)
    hypothesis = pairing.read_turns(arguments.hypothesis, posteriors=True)
    pairs = pairing.pair_up(reference, hypothesis, uem, arguments.uem or "the UEM")
    extent = f"the regions of {arguments.uem}" if arguments.uem else NO_UEM
    for note in [*([] if arguments.uem else [NO_UEM]), *pairs.notes]:
        print(f"diarize score: {note}", file=sys.stderr)
    chosen = [c for c in result.CONVENTIONS if arguments.convention in ("all", c.name)]
    score = result.score(pairs.pairs, chosen, arguments.seed)
    names = str(arguments.reference), reference.sha256, str(arguments.hypothesis)
    facts = table.Facts(*names, extent, pairs.notes)
    texts = (
        (arguments.json, exports.json_text(score, facts)),
        (arguments.csv, exports.csv_text(score)),
    )
    for place, text in texts:
        if place not in (None, "-"):
            save_text(place, text)
    asked = next((text for place, text in texts if place == "-"), None)
    if asked is None and sys.stdout.isatty():
        from rich.console import Console

        Console().print(table.table_rich(score, facts))
    else:
        print(asked or table.table_text(score, facts), end="")
    return 0
