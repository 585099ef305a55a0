"""`diarize factors infer|score|report`: images by models of many betas, and their factors."""

from __future__ import annotations

import argparse

from diarize.cli.actions import add_actions, run_action

ACTIONS = {
    "infer": "take test images up and down the betas, edit them, make images from nothing",
    "score": "hold latents to the known factors (TAD, MIG, DCI), and images to the true ones",
    "report": "draw beta ladders, edits, samples and learning as one page",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize factors` takes to its parser."""
    add_actions(parser, "factors", ACTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return run_action("factors", arguments)
