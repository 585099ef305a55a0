"""`diarize speakers infer|score`: two known speakers, as the paper of MS-VAE has them."""

from __future__ import annotations

import argparse

from diarize.cli.actions import add_actions, run_action

ACTIONS = {
    "infer": "say which of the two talks when, told where silence is, and told nothing",
    "score": "hold that to the truth by the authors' protocol and by a clean one",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize speakers` takes to its parser."""
    add_actions(parser, "speakers", ACTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return run_action("speakers", arguments)
