"""`diarize features list`: what a store holds."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from diarize.cli.features_store import add_store_argument, bytes_text
from diarize.cli.streams import print_result

if TYPE_CHECKING:
    from diarize.features.store import Entry, FeatureStore

HEADER = ("kind", "features", "hours", "size", "last used")
LONG_HEADER = ("kind", "recording", "seconds", "size", "last used", "file")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the action takes."""
    add_store_argument(parser, required=True)
    parser.add_argument("-l", "--long", action="store_true", help="a line a feature, tab-separated")


def run(arguments: argparse.Namespace) -> int:
    """Print a table of kinds, or a line a feature."""
    from diarize.features.store import FeatureStore
    from diarize.scoring.grid import Grid, aligned

    store = FeatureStore(arguments.store)
    if arguments.long:
        print_result("\t".join(LONG_HEADER) + "\n")
        for entry in store.entries():
            print_result("\t".join(_line(entry)) + "\n")
        return 0
    lines = aligned(Grid("", HEADER, tuple(_rows(store))))
    print_result("".join(f"{line}\n" for line in lines))
    return 0


def _rows(store: FeatureStore) -> Iterator[tuple[str, ...]]:
    """A row a kind, and one of all."""
    totals: dict[str, list[float]] = {}
    for entry in store.entries():
        duration_s = float(_facts(entry).get("duration_s", 0))
        for kind in (entry.kind, "all"):
            number, seconds, n_bytes, used_s = totals.get(kind, [0, 0, 0, 0])
            used_s = max(used_s, entry.used_s)
            totals[kind] = [number + 1, seconds + duration_s, n_bytes + entry.n_bytes, used_s]
    for kind in sorted(totals, key=lambda kind: (kind == "all", kind)):
        number, seconds, n_bytes, used_s = totals[kind]
        hours = f"{seconds / 3600:.2f}" if kind != "all" else ""
        yield kind, str(int(number)), hours, bytes_text(n_bytes), _day(used_s)


def _line(entry: Entry) -> tuple[str, ...]:
    facts = _facts(entry)
    told = facts.get("recording", "(broken)"), facts.get("duration_s", "")
    return entry.kind, *told, str(entry.n_bytes), _day(entry.used_s), str(entry.path)


def _facts(entry: Entry) -> dict[str, str]:
    from diarize.errors import BadFile

    try:
        return dict(entry.facts())
    except (BadFile, FileNotFoundError):  # `check` says what is wrong with it
        return {}


def _day(used_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(used_s))
