"""`diarize generate --model NAME -o DIR`: make music, from nothing or on from what is given."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from types import ModuleType

from diarize.cli.machine import add_machine_arguments
from diarize.errors import BadCall

MAKERS = {  # the module that adds each one's own options, all None by default, and runs it
    "rqtransformer": "diarize.cli.generate_rqtransformer",
    "composable": "diarize.cli.generate_composable",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize generate` takes to its parser: what all makers share, then their own."""
    add = parser.add_argument
    add("--model", choices=MAKERS, default=next(iter(MAKERS)), help="default: %(default)s")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="gets a folder a piece")
    add("--n", type=int, default=1, metavar="N", help="pieces to make (default: 1)")
    add("--seconds", type=float, metavar="S", help="of each piece (default: as long as can be)")
    add("--given", type=Path, metavar="PATH", help="what to go on from, or to fill in")
    add("--weights", metavar="FILE", help="trained weights (default: those that ship)")
    for name in MAKERS:
        _maker(name).add_arguments(parser.add_argument_group(f"--model {name}"))
    add_machine_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See that no option is of another model than the one that is asked for, and run that."""
    own = _options(arguments.model)
    for name in MAKERS:
        for option in sorted(_options(name) - own):
            if getattr(arguments, option) is not None:
                words = option.replace("_", "-")
                raise BadCall(f"--{words} is for --model {name}, not {arguments.model}")
    return int(_maker(arguments.model).run(arguments))


def _options(name: str) -> set[str]:
    """What the options of a maker are called in a namespace."""
    parser = argparse.ArgumentParser()
    _maker(name).add_arguments(parser.add_argument_group(name))
    return set(vars(parser.parse_args([])))


def _maker(name: str) -> ModuleType:
    return importlib.import_module(MAKERS[name])
