"""`diarize factors infer|score|report`: images by models of many betas, and their factors."""

from __future__ import annotations

import argparse
import importlib

ACTIONS = {
    "infer": "take test images up and down the betas, edit them, make images from nothing",
    "score": "hold latents to the known factors (TAD, MIG, DCI), and images to the true ones",
    "report": "draw beta ladders, edits, samples and learning as one page",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize factors` takes to its parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in ACTIONS.items():
        told = summary[0].upper() + summary[1:]
        _module(name).add_arguments(actions.add_parser(name, help=summary, description=told))


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return int(_module(arguments.action).run(arguments))


def _module(action: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"diarize.cli.factors_{action}")
