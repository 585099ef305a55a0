"""Memory that is free, given back to the machine."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Give free memory back where the C library can (glibc's `malloc_trim`); else do nothing.

    Networks of different kinds, heard one after the other, leave holes of different sizes: without
    this, a long recording takes what all of them had at some time.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return
