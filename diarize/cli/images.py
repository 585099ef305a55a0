"""`diarize images infer|score|report`: mixtures of images, as the multi-stream VAE takes them."""

from __future__ import annotations

import argparse

from diarize.cli.actions import add_actions, run_action

ACTIONS = {
    "infer": "say what is in mixtures, how sure that is, and what each source looks like",
    "score": "hold that to the truth: patterns, images, time; several systems side by side",
    "report": "draw mixtures, what was separated, latents and learning as one page",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize images` takes to its parser."""
    add_actions(parser, "images", ACTIONS)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return run_action("images", arguments)
