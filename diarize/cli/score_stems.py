"""The part of `diarize score REF EST` that is for folders of stems: a folder a song."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diarize.cli.beside import beside
from diarize.cli.score_names import run_names
from diarize.cli.score_sounds import run_sounds
from diarize.cli.score_terms import add_term_options, terms_of
from diarize.errors import BadCall


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize score` takes for stems."""
    add = parser.add_argument_group("for folders of stems (a folder a song)").add_argument
    add("--stems", metavar="NAMES", help="only these, as in drums,bass (default: all of REF)")
    add(
        "--beside",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="another system's stems of the same songs, or a codec's round trip, in the same table",
    )
    add("--name", help="what to call the system of HYP (default: its folder's name)")
    add("--bss-eval", action="store_true", help="BSS-eval's SDR too (museval and ffmpeg; slow)")
    add("--markdown", metavar="FILE", help="write the tables as Markdown")
    told = "how far sounds are from true ones, whatever the songs, by a named embedding; no SI-SDR"
    add("--frechet", action="store_true", help=told)
    told = "how often stems are named right by the classifier of instruments; no SI-SDR"
    add("--names", action="store_true", help=told)
    add_term_options(add)


def are_stems(folder: Path) -> bool:
    """Whether a folder holds songs in stems, and not RTTM files."""
    from diarize.formats.tracks import ENDINGS

    if not folder.is_dir() or any(folder.glob("*.rttm")):
        return False
    found = (one for pattern in ("*", "*/*") for one in folder.glob(pattern))
    return any(one.suffix.lower() in ENDINGS for one in found)


def run_stems(arguments: argparse.Namespace) -> int:
    """Score, and print the tables, or the JSON where `--json -` asks for it."""
    if arguments.names:
        return run_names(arguments)
    if arguments.frechet:
        return run_sounds(arguments)
    from diarize.formats.text import save_text
    from diarize.scoring import separation_table as table
    from diarize.scoring.separation_score import score_separation

    if arguments.csv or arguments.uem:
        option = "--csv" if arguments.csv else "--uem"
        raise BadCall(f"found {option}; it is for RTTM, and {arguments.reference} holds stems")
    estimates = {arguments.name or arguments.hypothesis.resolve().name: arguments.hypothesis}
    estimates |= beside(arguments.beside, estimates)
    stems = tuple(filter(None, (arguments.stems or "").split(",")))
    score = score_separation(
        arguments.reference,
        estimates,
        stems,
        arguments.seed,
        arguments.bss_eval,
        lambda song: print(f"diarize score: {song}", file=sys.stderr),
        terms_of(arguments),
    )
    for note in score.notes:
        print(f"diarize score: {note}", file=sys.stderr)
    if arguments.markdown:
        save_text(arguments.markdown, table.table_markdown(score))
    if arguments.json not in (None, "-"):
        save_text(arguments.json, table.json_text(score))
    text = table.json_text if arguments.json == "-" else table.table_text
    print(text(score), end="")
    return 0
