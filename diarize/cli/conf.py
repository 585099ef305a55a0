"""`diarize conf FILE`: the settings a conf file comes to, one canonical JSON object; or one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diarize.config import LAST_TABLE, read_toml, until
from diarize.errors import BadCall


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize conf` takes to its parser."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a conf file (TOML)")
    parser.add_argument(
        "--until",
        metavar="STAGE",
        choices=LAST_TABLE,
        help=f"only the tables that decide what this stage makes: {', '.join(LAST_TABLE)}",
    )
    told = 'one setting alone, such as data.sources, words of a list a space apart; "" if not set'
    parser.add_argument("--get", metavar="TABLE.KEY", help=told)


def run(arguments: argparse.Namespace) -> int:
    """Print the merged settings, keys sorted: the same settings give the same bytes."""
    settings = read_toml(arguments.file)
    if arguments.until:
        settings = until(settings, arguments.until)
    if arguments.get:
        print(_one(settings, arguments.get))
        return 0
    print(json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False, default=str))
    return 0


def _one(settings: Mapping[str, Any], name: str) -> str:
    """A setting as words for a shell."""
    value: Any = settings
    for key in name.split("."):
        value = value.get(key, "") if isinstance(value, Mapping) else ""
    if isinstance(value, Mapping):
        raise BadCall(f"--get {name}; it is a table, with {', '.join(value)}")
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
