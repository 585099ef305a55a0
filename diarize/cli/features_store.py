"""The store of features in use: `--store DIR`, or what the environment names."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


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
