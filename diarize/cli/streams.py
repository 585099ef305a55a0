"""What a command says: its result on standard output, all else on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback

from diarize.errors import BadFile


def tell(line: str, error: BaseException | None = None) -> None:
    """One line on standard error, whatever is in it; where `error` arose, if that is wanted."""
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in line
    )
    with contextlib.suppress(OSError):  # nobody is left to be told
        print(shown, file=sys.stderr, flush=True)
        if error is not None and os.environ.get("DIARIZE_TRACEBACK"):
            traceback.print_exception(error)


def print_result(text: str) -> None:
    """Put the result on standard output.

    Raises:
        BadFile: that takes nothing.
        BrokenPipeError: its reader has left.
    """
    if sys.stdout is None:
        raise BadFile("standard output: it is closed; send it to a file, or use -o DIR")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise BadFile(
            f"standard output: cannot be written ({error.strerror}); send it where there is room"
        ) from None


def abandon_stdout() -> None:
    """Keep Python from complaining when it closes an output that takes nothing more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
