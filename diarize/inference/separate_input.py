"""A song opened for reading block by block: files of any kind, or an array."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from diarize.audio.decode import Decoding, Undecodable, decoders, full_scale
from diarize.audio.io import FORMATS, shown
from diarize.audio.resample import check_rate
from diarize.errors import BadCall, BadFile

Sound = Float32[np.ndarray, "_channel _time"]  # of lengths that need not agree
BLOCK_SAMPLES = 2**16  # of an array, a channel, at a time
LATE_S = 0.1  # a file that ends so much before its header says is worth a word


@dataclass(frozen=True)
class Song:
    """A song that can be read once.

    Attributes:
        name: what messages call it.
        n_samples: how long its header says it is, a channel; None if it does not.
        blocks: of its sound, full scale 1; reading one may raise BadFile.
    """

    name: str
    rate_hz: int
    n_channels: int
    n_samples: int | None
    blocks: Iterator[Sound]


def open_song(path: Path | str) -> Song:
    """The song in a file.

    Raises:
        BadFile: nothing there, or nothing that can be decoded as sound.
    """
    path = Path(path)
    label = shown(str(path))
    try:
        with path.open("rb") as stream:
            is_empty = not stream.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadFile(f"{label}: cannot be read ({reason}); expected audio: {FORMATS}") from None
    if is_empty:
        raise BadFile(f"{label}: empty file (0 bytes); expected audio: {FORMATS}")
    reasons = []
    for decode in decoders(lambda: path.open("rb")):
        try:
            return _begun(decode(lambda: path.open("rb")), label)
        except Undecodable as reason:
            reasons.append(str(reason))
    raise BadFile(f"{label}: cannot be decoded ({reasons[0]}); expected audio: {FORMATS}")


def song_of_array(samples: Any, rate_hz: int, name: str = "array") -> Song:
    """The song in an array, (time,) or (channel, time); integers by the size of their type.

    Raises:
        BadCall: another shape, a type that is no number, or a rate no recording has.
        BadFile: no samples, or samples that are not numbers.
    """
    check_rate(rate_hz)
    values = np.asarray(samples)
    if values.dtype.kind not in "fiu":
        raise BadCall(f"{name}: an array of {values.dtype}; expected floats or whole numbers")
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2 or not len(values) or len(values) > max(64, values.shape[1]):
        found = np.shape(samples)
        raise BadCall(f"{name}: an array of shape {found}; expected (time,) or (channel, time)")
    starts = range(0, values.shape[1], BLOCK_SAMPLES)
    blocks = (full_scale(values[:, at : at + BLOCK_SAMPLES].T) for at in starts)
    duration_s = values.shape[1] / rate_hz
    return _begun(Decoding(rate_hz, len(values), duration_s, blocks), name)


def _begun(decoding: Decoding, label: str) -> Song:
    """The song of a decoding, whose first block is read already, for that may fail."""
    first = next(decoding.blocks, None)
    if first is None:
        decoding.blocks.close()
        raise BadFile(f"{label}: a header but no samples; expected at least one")
    promised = decoding.promised_s
    n_samples = None if promised is None else round(promised * decoding.rate_hz)
    song = Song(label, decoding.rate_hz, decoding.n_channels, n_samples, iter(()))
    blocks = itertools.chain([first], decoding.blocks)
    return replace(song, blocks=_checked(blocks, decoding.blocks.close, song))


def _checked(
    blocks: Iterator[Float32[np.ndarray, "_time _channel"]], close: Callable[[], None], song: Song
) -> Iterator[Sound]:
    n_read = 0
    try:
        for block in blocks:
            if not np.isfinite(block).all():
                at_s = n_read / song.rate_hz
                raise BadFile(
                    f"{song.name}: a sample that is not a number (NaN or infinite) after "
                    f"{at_s:.3f} s; expected numbers throughout"
                )
            n_read += len(block)
            yield np.ascontiguousarray(block.T)
    except Undecodable as reason:
        at_s = n_read / song.rate_hz
        raise BadFile(
            f"{song.name}: cannot be decoded after {at_s:.1f} s ({reason}); expected {FORMATS}"
        ) from None
    finally:
        close()
