"""What the three runners share: load once, then answer one request a line, timed.

A runner is a process of its own in the environment of the system that it runs, so this file uses
the standard library alone. Requests are JSON lines on stdin, answers are JSON lines on stdout:

    <- {"event": "ready", "load_s": 4.1, "versions": {"torch": "2.11.0"}}
    -> {"wav": "a.wav"}
    <- {"event": "done", "elapsed_s": 0.8, "turns": [[0.5, 2.0, "A"]], "peak_rss_mib": 611.0}
    <- {"event": "failed", "error": "ValueError: ...", "peak_rss_mib": 611.0}

Whatever a library prints goes to stderr, so it cannot be taken for an answer.
"""

import argparse
import importlib.metadata
import json
import os
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class Turn(NamedTuple):
    """One speaker's turn, in seconds from the start of the recording."""

    start_s: float
    end_s: float
    speaker: str


Diarize = Callable[[str], Iterable[Turn]]


def serve(load: Callable[[int], Diarize], packages: Sequence[str]) -> int:
    """Answer requests until stdin ends; return the exit code.

    `load(threads)` imports the system, loads its models and returns what turns the path of a wav
    into turns. `packages` are the distributions whose versions belong beside the figures.
    """
    parser = argparse.ArgumentParser(description="Answer diarization requests, one JSON line each.")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of every library")
    threads = parser.parse_args().threads
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    replies = _take_stdout()
    began = time.monotonic()
    diarize = load(threads)
    load_s = time.monotonic() - began
    versions = {name: importlib.metadata.version(name) for name in packages}
    _say(replies, {"event": "ready", "load_s": load_s, "versions": versions})
    for line in sys.stdin:
        _say(replies, answer(diarize, json.loads(line)))
    return 0


def answer(diarize: Diarize, request: dict[str, Any]) -> dict[str, Any]:
    """Diarize one recording; the time is the system's from the path to its turns."""
    began = time.monotonic()
    try:
        turns = [
            (float(start_s), float(end_s), str(speaker))
            for start_s, end_s, speaker in diarize(request["wav"])
        ]
    except Exception as error:  # a system that cannot do one recording is a result, not the end
        traceback.print_exc()  # to the log; the table has the one line
        words = " ".join(f"{type(error).__name__}: {error}".split())
        return {"event": "failed", "error": words, "peak_rss_mib": peak_rss_mib()}
    elapsed_s = time.monotonic() - began
    return {
        "event": "done",
        "elapsed_s": elapsed_s,
        "turns": turns,
        "peak_rss_mib": peak_rss_mib(),
    }


def peak_rss_mib() -> float:
    """The most memory that this process has held at once so far, in MiB."""
    try:  # getrusage would count what the parent held when it started this process
        status = Path("/proc/self/status").read_text()
        if found := re.search(r"VmHWM:\s*(\d+) kB", status):
            return int(found[1]) / 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


def _take_stdout() -> TextIO:
    """Keep stdout for the answers, and send all that others print to stderr."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies


def _say(replies: TextIO, words: dict[str, Any]) -> None:
    replies.write(json.dumps(words) + "\n")
    replies.flush()
