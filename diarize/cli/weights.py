"""`diarize weights`: list the trained weights in use, and fetch what is missing."""

from __future__ import annotations

import argparse

ACTIONS = ("list", "fetch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each: name, licence, where it is or how to get it."""
    from diarize.errors import BadFile, MissingWeights
    from diarize.weights import KNOWN, fetch_weights, find_weights

    missing = damaged = 0
    for name in arguments.names or KNOWN:
        look = fetch_weights if arguments.action == "fetch" else find_weights
        try:
            place = str(look(name))
        except MissingWeights as error:
            place, missing = f"missing: {error}", missing + 1
        except BadFile as error:
            place, damaged = f"damaged: {error}", damaged + 1
        print(f"{name}\t{KNOWN[name].licence}\t{place}")
    return 1 if damaged or (missing and arguments.action == "fetch") else 0
