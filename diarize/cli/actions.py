"""Verbs of several actions, `diarize VERB ACTION`: an action is the module `cli/VERB_ACTION.py`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping


def add_actions(parser: argparse.ArgumentParser, verb: str, actions: Mapping[str, str]) -> None:
    """Add each action of a verb, with what its own module takes; `actions` says what each does."""
    parsers = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in actions.items():
        told = summary[0].upper() + summary[1:]
        _module(verb, name).add_arguments(parsers.add_parser(name, help=summary, description=told))


def run_action(verb: str, arguments: argparse.Namespace) -> int:
    """Do what was asked for; the exit code."""
    return int(_module(verb, arguments.action).run(arguments))


def _module(verb: str, action: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(f"diarize.cli.{verb}_{action}")
