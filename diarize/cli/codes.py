"""`diarize codes score`: models of codes, held to songs they have not heard."""

from __future__ import annotations

import argparse

from diarize.cli.actions import add_actions, run_action

ACTIONS = {
    "score": "what codes of unseen songs cost, and how far from music a model's own music is",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize codes` takes to its parser."""
    add_actions(parser, "codes", ACTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return run_action("codes", arguments)
