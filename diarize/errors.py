"""The few errors a user can meet.

Each message is one line: the thing, what was found, what would be right.
"""


class DiarizeError(Exception):
    """Something the user can mend; `exit_code` is what the command line returns for it."""

    exit_code = 1


class BadCall(DiarizeError, ValueError):
    """An option or argument that cannot be meant: exit code 2."""

    exit_code = 2


class BadFile(DiarizeError, ValueError):
    """A file whose contents cannot be used: exit code 1."""


class MissingWeights(DiarizeError, FileNotFoundError):
    """Trained weights that are nowhere on this machine; the message says how to get them."""


def fault(error: BaseException) -> str:
    """What to tell of an error that is none of the above, in one line.

    >>> fault(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero (a fault of the program: DIARIZE_TRACEBACK=1 says where)'
    """
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return "not enough memory; give it more, or a shorter recording"
    first = (str(error).strip().splitlines() or ["no more is known"])[0]
    name = type(error).__name__
    return f"{name}: {first} (a fault of the program: DIARIZE_TRACEBACK=1 says where)"
