"""The store of features in use: `--store DIR`, or what the environment names; sizes in words."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from diarize.errors import BadCall


def add_store_argument(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Add `--store DIR`; where it is left out, DIARIZE_STORE says, if that is set."""
    named = os.environ.get("DIARIZE_STORE")
    parser.add_argument(
        "--store",
        type=Path,
        default=Path(named) if named else None,
        required=required and not named,
        metavar="DIR",
        help="keep what the networks hear there, and hear nothing twice (default: $DIARIZE_STORE)",
    )


def bytes_text(n_bytes: int | float) -> str:
    """A number of bytes for people.

    >>> bytes_text(21_400_000), bytes_text(999)
    ('21.4 MB', '999 B')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes:.0f} B"


def bytes_of(text: str) -> int:
    """The number of bytes that a size says.

    Raises:
        BadCall: it is none.

    >>> bytes_of("1.5G"), bytes_of("800 MB"), bytes_of("0")
    (1500000000, 800000000, 0)
    """
    found = re.fullmatch(r"(\d+\.?\d*) ?([kMGT]?)B?", text)
    if not found:
        raise BadCall(f"{text!r} is no size; 20G, 500M or 1000000, say, would be right")
    return round(float(found[1]) * 1000 ** " kMGT".index(found[2] or " "))
