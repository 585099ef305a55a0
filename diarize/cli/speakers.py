"""`diarize speakers infer|score`: two known speakers, as the paper of MS-VAE has them."""

from __future__ import annotations

import argparse
import importlib

ACTIONS = {
    "infer": "say which of the two talks when, told where silence is, and told nothing",
    "score": "hold that to the truth by the authors' protocol and by a clean one",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize speakers` takes to its parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in ACTIONS.items():
        told = summary[0].upper() + summary[1:]
        _module(name).add_arguments(actions.add_parser(name, help=summary, description=told))


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return int(_module(arguments.action).run(arguments))


def _module(action: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"diarize.cli.speakers_{action}")
