"""The command line: `diarize VERB ...`. Each verb is a module with `add_arguments` and `run`.

Only the verb that is called is imported, so that `diarize --help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from diarize.errors import DiarizeError

VERBS = {
    "infer": "say who spoke when, as RTTM, JSON or CSV",
    "score": "compare a result with a reference: DER and its parts, JER, count, correlation",
    "report": "draw results as one page to open in a browser",
    "fetch": "get or make the recordings of a recipe",
    "weights": "list the trained weights in use, and fetch what is missing",
    "conf": "print the settings a conf file comes to",
}
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code.

    0 done; 1 a file or its contents are at fault; 2 the call is; 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(words)
    arguments = parser.parse_args(words)
    try:
        return int(importlib.import_module(f"diarize.cli.{arguments.verb}").run(arguments))
    except DiarizeError as error:
        print(f"diarize {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        _abandon_stdout()
        return BROKEN_PIPE
    except OSError as error:
        _abandon_stdout()
        place = f"{error.filename}: " if error.filename else ""
        print(f"diarize {arguments.verb}: {place}{error.strerror or error}", file=sys.stderr)
        return DiarizeError.exit_code
    except KeyboardInterrupt:
        print(f"diarize {arguments.verb}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _abandon_stdout() -> None:
    """Keep Python from complaining when it closes an output that takes nothing more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    from diarize import __version__

    parser = argparse.ArgumentParser(
        prog="diarize", description="Who spoke when, and how sure that is."
    )
    parser.add_argument("--version", action="version", version=f"diarize {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    called = next((word for word in words if not word.startswith("-")), None)
    for name, summary in VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:])
        if name == called:
            importlib.import_module(f"diarize.cli.{name}").add_arguments(verb)
    return parser
