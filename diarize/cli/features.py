"""`diarize features list|check|prune`: what a store of features holds, and keeping it in order."""

from __future__ import annotations

import argparse

from diarize.cli.actions import add_actions, run_action

ACTIONS = {
    "list": "say how many features a store holds, of how much audio, in how many bytes",
    "check": "read all of a store, and name what is broken",
    "prune": "remove what was not used for long, or until a store is small enough",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize features` takes to its parser."""
    add_actions(parser, "features", ACTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return run_action("features", arguments)
