"""`diarize features list|check|prune`: what a store of features holds, and keeping it in order."""

from __future__ import annotations

import argparse
import importlib

ACTIONS = {
    "list": "say how many features a store holds, of how much audio, in how many bytes",
    "check": "read all of a store, and name what is broken",
    "prune": "remove what was not used for long, or until a store is small enough",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize features` takes to its parser."""
    from diarize.cli.features_store import add_store_argument

    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in ACTIONS.items():
        told = summary[0].upper() + summary[1:]
        action = actions.add_parser(name, help=summary, description=told)
        add_store_argument(action, required=True)
        _module(name).add_arguments(action)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return int(_module(arguments.action).run(arguments))


def _module(action: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"diarize.cli.features_{action}")
