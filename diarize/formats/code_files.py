"""Codes of music on disk: a file of whole numbers that says which codec they are of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from diarize.errors import BadFile
from diarize.formats.whole import whole

ENDING = ".codes"


@dataclass(frozen=True)
class Codes:
    """The codes of a piece of music.

    Attributes:
        codes: a row for each code of a frame.
        codec: the name of the codec that made them; no other can read them.
        n_samples: of the sound they stand for.
    """

    codes: Int64[np.ndarray, "slot frame"]
    codec: str
    n_samples: int


def save_codes(path: Path | str, codes: Codes) -> None:
    """Write a safetensors file that holds `codes` and says what they are of.

    Raises:
        BadFile: it cannot be written.
    """
    from safetensors.numpy import save

    about = {"codec": codes.codec, "n_samples": codes.n_samples}
    held = {"codes": np.ascontiguousarray(codes.codes, np.int32)}  # or their order would be lost
    with whole(path) as unfinished:
        unfinished.write_bytes(save(held, metadata={"about": json.dumps(about, sort_keys=True)}))


def read_codes(path: Path | str) -> Codes:
    """The codes in a file that `save_codes` wrote.

    Raises:
        BadFile: it is no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as opened:
            about = json.loads((opened.metadata() or {})["about"])
            codes = opened.get_tensor("codes").astype(np.int64)
            return Codes(codes, str(about["codec"]), int(about["n_samples"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadFile(
            f"{path}: no codes ({error}); expected what `diarize generate` wrote"
        ) from None
