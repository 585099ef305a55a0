"""`diarize features prune`: remove what was not used for long, or until a store is small enough."""

from __future__ import annotations

import argparse

from diarize.cli.features_store import add_store_argument, bytes_of, bytes_text
from diarize.cli.streams import print_result, tell

DAY_S = 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the action takes."""
    add_store_argument(parser, required=True)
    add = parser.add_argument
    add("--unused-days", type=float, metavar="N", help="remove what was not used for N days")
    add("--at-most", metavar="SIZE", help="remove the longest unused, until SIZE is left (20G)")


def run(arguments: argparse.Namespace) -> int:
    """Print the path of each file that was removed."""
    from diarize.errors import BadCall
    from diarize.features.store import FeatureStore

    days = arguments.unused_days
    if days is None and arguments.at_most is None:
        raise BadCall("say what is to go: --unused-days N, --at-most SIZE, or both")
    if days is not None and not days >= 0:
        raise BadCall(f"--unused-days {days:g}; 0 or more would be right")
    at_most_bytes = None if arguments.at_most is None else bytes_of(arguments.at_most)
    older_than_s = None if days is None else days * DAY_S
    store = FeatureStore(arguments.store)
    gone = store.prune(older_than_s, at_most_bytes)
    print_result("".join(f"{entry.path}\n" for entry in gone))
    freed = bytes_text(sum(entry.n_bytes for entry in gone))
    left = sum(1 for _ in store.entries())
    tell(f"diarize features prune: {len(gone)} removed ({freed}), {left} left")
    return 0
