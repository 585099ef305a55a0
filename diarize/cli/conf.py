"""`diarize conf FILE`: the settings a conf file comes to, one canonical JSON object."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diarize.config import LAST_TABLE, read_toml, until


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize conf` takes to its parser."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a conf file (TOML)")
    parser.add_argument(
        "--until",
        metavar="STAGE",
        choices=LAST_TABLE,
        help=f"only the tables that decide what this stage makes: {', '.join(LAST_TABLE)}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the merged settings, keys sorted: the same settings give the same bytes."""
    settings = read_toml(arguments.file)
    if arguments.until:
        settings = until(settings, arguments.until)
    print(json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False, default=str))
    return 0
