"""`diarize speakers score`: how right results on two known speakers are, by two protocols."""

from __future__ import annotations

import argparse
from pathlib import Path

from diarize.errors import BadCall


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize speakers score` takes to its parser."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="of `diarize fetch two_speakers`")
    add(
        "results",
        nargs="+",
        metavar="[NAME=]DIR",
        help="of `diarize speakers infer -o`, a row each; NAME is what tables are to call it",
    )
    add("--seed", type=int, default=0, help="of the bootstrap intervals (default: 0)")
    add("-o", "--output", type=Path, metavar="FILE", help="write everything as JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the tables in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Score, write what was asked for, and print the tables."""
    import json

    from diarize.formats.text import save_text
    from diarize.inference.two_speaker_results import score_results
    from diarize.scoring.grid import aligned, markdown
    from diarize.scoring.two_protocols import protocol_grids, rows_json

    if arguments.seed < 0:
        raise BadCall(f"found --seed {arguments.seed}; a seed is 0 or more")
    named = [_named(words) for words in arguments.results]
    rows = score_results(arguments.data, named, arguments.seed)
    grids = protocol_grids(rows)
    if arguments.output:
        text = json.dumps(rows_json(rows), indent=2, ensure_ascii=False) + "\n"
        save_text(arguments.output, text)
    if arguments.markdown:
        tables = (f"## {grid.title}\n\n{markdown(grid)}" for grid in grids)
        save_text(arguments.markdown, "\n".join(tables))
    print("\n\n".join("\n".join([grid.title, "", *aligned(grid)]) for grid in grids))
    return 0


def _named(words: str) -> tuple[str | None, Path]:
    name, sign, folder = words.partition("=")
    return (name, Path(folder)) if sign and name and folder else (None, Path(words))
