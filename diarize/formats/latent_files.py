"""Latents of a codec on disk: arrays that are read a window at a time, and what they are of.

NAME.npy has the latents, a row a frame; NAME.power.npy mean squares of the sound, a row a frame;
NAME.json their stamp. That is written last: without it, the others count for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from diarize.errors import BadFile
from diarize.formats.text import save_text
from diarize.formats.whole import whole


def save_latents(
    path: Path,
    latents: Float[np.ndarray, "frame latent"],
    powers: Float32[np.ndarray, "frame sound"],
    stamp: Mapping[str, Any],
) -> None:
    """Write latents, powers and their stamp, each whole or not at all; `path` ends in .npy.

    Raises:
        BadFile: they cannot be written.
    """
    stamp_path(path).unlink(missing_ok=True)  # what is half anew is of no stamp
    for place, array in ((path, latents), (power_path(path), powers)):
        with whole(place) as unfinished, unfinished.open("wb") as opened:
            np.save(opened, np.ascontiguousarray(array))
    save_stamp(path, stamp)


def save_stamp(path: Path, stamp: Mapping[str, Any]) -> None:
    """Write what the latents at `path` are of.

    Raises:
        BadFile: it cannot be written.
    """
    save_text(stamp_path(path), json.dumps(stamp, indent=2, sort_keys=True) + "\n")


def read_stamp(path: Path) -> dict[str, Any] | None:
    """What the latents at `path` are of; None if there are none, or not all of them."""
    try:
        found = json.loads(stamp_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    there = path.is_file() and power_path(path).is_file()
    return found if isinstance(found, dict) and there else None


def read_frames(path: Path, start: int, n_frames: int) -> Float32[np.ndarray, "n_frames column"]:
    """Rows of an array on disk; no more of it is read than these.

    Raises:
        BadFile: it is no such array, or has fewer rows.
    """
    try:
        held = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise BadFile(f"{path}: no latents ({error})") from None
    if held.ndim != 2 or start + n_frames > len(held):
        raise BadFile(f"{path}: shape {held.shape}; expected {start + n_frames} rows or more")
    return np.array(held[start : start + n_frames], np.float32)


def stamp_path(path: Path) -> Path:
    """Where the stamp of the latents at `path` is."""
    return path.with_suffix(".json")


def power_path(path: Path) -> Path:
    """Where the powers of the sound of the latents at `path` are."""
    return path.with_suffix(".power.npy")
