"""`diarize images infer|score|report`: mixtures of images, as the multi-stream VAE takes them."""

from __future__ import annotations

import argparse
import importlib

ACTIONS = {
    "infer": "say what is in mixtures, how sure that is, and what each source looks like",
    "score": "hold that to the truth: patterns, images, time; several systems side by side",
    "report": "draw mixtures, what was separated, latents and learning as one page",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize images` takes to its parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in ACTIONS.items():
        told = summary[0].upper() + summary[1:]
        _module(name).add_arguments(actions.add_parser(name, help=summary, description=told))


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return int(_module(arguments.action).run(arguments))


def _module(action: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"diarize.cli.images_{action}")
