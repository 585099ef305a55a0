"""The command line: `diarize VERB ...`. Each verb is a module with `add_arguments` and `run`.

Only the verb that is called is imported, so that `diarize --help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from diarize.cli.process import Terminated, polite_process
from diarize.cli.streams import abandon_stdout, tell
from diarize.errors import BadCall, DiarizeError, fault

VERBS = {
    "train": "train a model on a prepared corpus; go on if that was begun",
    "pack": "make trained weights ready to ship: half precision, and a card",
    "infer": "say who spoke when, as RTTM, JSON or CSV",
    "separate": "take songs apart: a sound file for each instrument",
    "generate": "make music: from nothing, on from a beginning, or where some is missing",
    "codes": "say what codes of songs cost a model that tells them one by one",
    "review": "list the turns most worth a listen, by the seconds of error they may hold",
    "score": "compare a result with a reference: DER and its parts, JER, count, correlation",
    "images": "attribute, separate and score mixtures of images",
    "factors": "take images through a model of many betas, and score what its latents know",
    "speakers": "say which of two known speakers talks, and score that by two protocols",
    "report": "draw results as one page to open in a browser",
    "fetch": "get or make the recordings or images of a recipe",
    "prepare": "make the sets to train and test on of what was fetched",
    "import": "list recordings that lhotse or pyannote.database lists, with their truth",
    "export": "list recordings as lhotse or pyannote.database do",
    "features": "say what a store of features holds, check it, make it smaller",
    "weights": "list the trained weights in use, and fetch what is missing",
    "conf": "print the settings a conf file comes to",
}
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
BROKEN_PIPE = 128 + signal.SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code.

    0 done; 1 a file or its contents are at fault; 2 the call is; 130 interrupted. Whatever goes
    wrong is one line on standard error; with DIARIZE_TRACEBACK set, where it did follows.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = f"diarize {_called(words) or ''}".strip()
    try:
        with polite_process():
            arguments = _parser(words).parse_args(words)
            return int(importlib.import_module(f"diarize.cli.{arguments.verb}").run(arguments))
    except DiarizeError as error:
        tell(f"{name}: {error}", error)
        return error.exit_code
    except BrokenPipeError:
        abandon_stdout()
        return BROKEN_PIPE
    except KeyboardInterrupt as error:
        stopped = isinstance(error, Terminated)
        tell(f"{name}: {'told to stop' if stopped else 'interrupted'}")
        return TERMINATED if stopped else INTERRUPTED
    except OSError as error:
        abandon_stdout()
        place = f"{error.filename}: " if error.filename else ""
        tell(f"{name}: {place}{error.strerror or error}", error)
        return DiarizeError.exit_code
    except Exception as error:
        tell(f"{name}: {fault(error)}", error)
        return DiarizeError.exit_code


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a call in one line."""

    def error(self, message: str) -> NoReturn:
        tell(f"{self.prog}: {message}; `{self.prog} --help` says what is right")
        self.exit(BadCall.exit_code)


def _called(words: Sequence[str]) -> str | None:
    """The verb of a call, if there is one."""
    first = next((word for word in words if not word.startswith("-")), None)
    return first if first in VERBS else None


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    from diarize import __version__

    parser = _Parser(prog="diarize", description="Who spoke when, and how sure that is.")
    parser.add_argument("--version", action="version", version=f"diarize {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, summary in VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:])
        if name == _called(words):
            importlib.import_module(f"diarize.cli.{name}").add_arguments(verb)
    return parser
