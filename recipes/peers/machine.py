"""What the figures were made on: the machine, the commit, and a hash of the recordings."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from diarize.formats.text import save_text


def save_machine(path: Path, recordings: Iterable[Path]) -> None:
    """Write the facts that belong beside every figure."""
    facts = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average": list(os.getloadavg()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit(),
        "data_sha256": data_hash(recordings),
    }
    save_text(path, json.dumps(facts, indent=1) + "\n")


def processor() -> str:
    """Return the processor's model, as the kernel calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def commit() -> str:
    """Return the checkout's commit, marked when files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def data_hash(recordings: Iterable[Path]) -> str:
    """Return one SHA-256 over the names and contents of the wavs, by name."""
    digest = hashlib.sha256()
    for path in sorted(recordings, key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
