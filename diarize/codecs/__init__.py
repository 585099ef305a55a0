"""Codecs by name: sound to latents and codes, and back. Each is loaded when it is asked for."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.errors import BadCall

if TYPE_CHECKING:
    from diarize.codecs.contract import Codec

CODECS = {
    "rvq": "diarize.codecs.rvq:load_rvq",
    "coarse": "diarize.codecs.coarse:load_coarse",
    "encodec24": "diarize.codecs.encodec:load_encodec24",
    "encodec48": "diarize.codecs.encodec:load_encodec48",
    "stft": "diarize.codecs.stft:load_stft",
}


def load_codec(name: str, weights: Path | str | None = None) -> Codec:
    """The codec called `name`, with the weights in the file `weights`, or those that it finds.

    Raises:
        BadCall: there is none of that name, or its package is not installed.
        MissingWeights: its weights are nowhere on this machine.
        BadFile: they are damaged, or of something else.
    """
    if name not in CODECS:
        raise BadCall(f"no codec {name!r}; there are {', '.join(CODECS)}")
    module, _, member = CODECS[name].partition(":")
    codec: Codec = getattr(importlib.import_module(module), member)(weights)
    return codec
