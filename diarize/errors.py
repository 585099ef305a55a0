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
