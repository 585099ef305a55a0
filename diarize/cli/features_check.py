"""`diarize features check`: read all of a store, and name what is broken."""

from __future__ import annotations

import argparse

from diarize.cli.features_store import add_store_argument
from diarize.cli.streams import print_result, tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the action takes."""
    add_store_argument(parser, required=True)
    parser.add_argument("--remove", action="store_true", help="remove what is broken")


def run(arguments: argparse.Namespace) -> int:
    """Print the path of each broken file; 1 if there is one that was not removed."""
    from diarize.features.store import FeatureStore

    number = broken = 0
    for entry, error in FeatureStore(arguments.store).check():
        number += 1
        if error is None:
            continue
        broken += 1
        tell(f"diarize features check: {error}")
        print_result(f"{entry.path}\n")
        if arguments.remove:
            entry.path.unlink(missing_ok=True)
    removed = ", removed" if broken and arguments.remove else ""
    tell(f"diarize features check: {number - broken} whole, {broken} broken{removed}")
    return 1 if broken and not arguments.remove else 0
