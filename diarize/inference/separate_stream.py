"""A song taken apart block by block: any length in constant memory, at its own rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from diarize.audio.resample import Resampler

Sound = Float32[np.ndarray, "_channel _time"]  # of lengths that need not agree
Stems = Float32[np.ndarray, "_source _channel _time"]
Separate = Callable[[Sound], Stems]
SHARE_HOP = 512  # samples that have one share of what lies above the model's band
STRETCH = 1 << 16  # samples that go back to the song's rate at a time
_FAINTEST = 1e-10


@dataclass(frozen=True)
class Piece:
    """Some of a song: the mixture as it is, and the stems that were found in it."""

    mixture: Sound
    stems: Stems


@dataclass(frozen=True)
class Windows:
    """How a song is cut for the model: samples a window, and those it has in common with the next.

    Where two windows meet, one is faded into the other.
    """

    length: int
    overlap: int


def separated(
    blocks: Iterable[Sound], rate_hz: int, model_hz: int, separate: Separate, windows: Windows
) -> Iterator[Piece]:
    """The song in `blocks` and its stems, piece by piece, all at `rate_hz`.

    The pieces, end to end, are as long as the song. What lies above the model's band goes to each
    stem as that stem's own highest sounds go up and down.
    """
    mixture, n_channels = _Queue(), 0
    with_highs = rate_hz > model_hz
    back: _Channels | None = None
    for low, stems, shares in _overlapped(
        _lowered(blocks, rate_hz, model_hz, mixture), separate, windows
    ):
        n_channels, n_sources = len(low), len(stems)
        flat = stems.reshape(n_sources * n_channels, -1)
        rows = np.concatenate([flat, low, shares]) if with_highs else flat
        back = back or _Channels(len(rows), model_hz, rate_hz)
        for at in range(0, rows.shape[1], STRETCH):
            here = rows[:, at : at + STRETCH]
            yield from _joined(mixture, back.push(here), n_sources, n_channels)
    if back is not None:
        n_rows = back.n_channels
        n_sources = (
            (n_rows - n_channels) // (n_channels + 1) if with_highs else n_rows // n_channels
        )
        yield from _joined(mixture, back.finish(), n_sources, n_channels)
        if rest := mixture.length:  # a sample or two that resampling lost
            yield Piece(mixture.take(rest), np.zeros((n_sources, n_channels, rest), np.float32))


def overlap_added(
    blocks: Iterable[Sound], transform: Callable[[Sound], Sound], windows: Windows
) -> Iterator[tuple[Sound, Sound]]:
    """Sound, and what `transform` makes of windows of it faded into one another, piece by piece.

    `transform` may give another number of channels, of the same length. A last window may be
    shorter than the others, but never than what it has in common with the one before.
    """
    length, overlap = windows.length, windows.overlap
    hop = length - overlap
    rise = ((np.arange(overlap, dtype=np.float32) + 0.5) / max(overlap, 1)).astype(np.float32)
    queue, tail = _Queue(), None
    for block in blocks:
        queue.put(block)
        while queue.length > length:
            window = queue.look(length)
            made = _begun(transform(window), tail, rise)
            tail = made[:, hop:] * rise[::-1]
            yield queue.take(hop), made[:, :hop]
    if queue.length:
        yield queue.look(queue.length), _begun(transform(queue.look(queue.length)), tail, rise)


def _begun(made: Sound, tail: Sound | None, rise: Float32[np.ndarray, " _time"]) -> Sound:
    """A window whose beginning is faded in over the end of the one before."""
    if tail is None:
        return made
    begun = made.copy()
    begun[:, : len(rise)] = begun[:, : len(rise)] * rise + tail
    return begun


def _overlapped(
    blocks: Iterable[Sound], separate: Separate, windows: Windows
) -> Iterator[tuple[Sound, Stems, Sound]]:
    """Mixture, stems, and each stem's share of what is too high, at the model's rate."""
    n_sources = 0

    def transform(window: Sound) -> Sound:
        nonlocal n_sources
        stems = separate(window)
        n_sources = len(stems)
        return np.concatenate([stems.reshape(n_sources * len(window), -1), high_shares(stems)])

    for mixture, made in overlap_added(blocks, transform, windows):
        stems = made[: n_sources * len(mixture)].reshape(n_sources, len(mixture), -1)
        yield mixture, stems, made[n_sources * len(mixture) :]


def high_shares(stems: Stems) -> Float32[np.ndarray, "source time"]:
    """Each stem's share of the highest sounds of all, 0 to 1, over time; they add up to 1."""
    n_sources, _, n_samples = stems.shape
    sharp = np.diff(stems, n=2, axis=2, prepend=stems[:, :, :1], append=stems[:, :, -1:])
    power = (sharp[:, :, :n_samples] ** 2).sum(1)
    n_hops = -(-n_samples // SHARE_HOP)
    padded = np.pad(power, ((0, 0), (0, n_hops * SHARE_HOP - n_samples)))
    energy = padded.reshape(n_sources, n_hops, SHARE_HOP).sum(2) + _FAINTEST
    around = np.pad(energy, ((0, 0), (1, 1)), mode="edge")
    smooth = (around[:, :-2] + 2 * around[:, 1:-1] + around[:, 2:]) / 4
    share = smooth / smooth.sum(0)
    middles = (np.arange(n_hops) + 0.5) * SHARE_HOP
    at = np.arange(n_samples)
    return np.stack([np.interp(at, middles, one) for one in share]).astype(np.float32)


def _lowered(
    blocks: Iterable[Sound], rate_hz: int, model_hz: int, mixture: _Queue
) -> Iterator[Sound]:
    """The blocks at the model's rate; as they are, they wait in `mixture`."""
    down: _Channels | None = None
    for block in blocks:
        mixture.put(block)
        down = down or _Channels(len(block), rate_hz, model_hz)
        yield down.push(block)
    if down is not None:
        yield down.finish()


def _joined(queue: _Queue, rows: Sound, n_sources: int, n_channels: int) -> Iterator[Piece]:
    """What came back at the song's rate, beside as much of the song."""
    n_samples = min(rows.shape[1], queue.length)
    if not n_samples:
        return
    rows, mixture = rows[:, :n_samples], queue.take(n_samples)
    n_flat = n_sources * n_channels
    stems = rows[:n_flat].reshape(n_sources, n_channels, n_samples)
    if len(rows) > n_flat:
        high = mixture - rows[n_flat : n_flat + n_channels]
        shares = rows[n_flat + n_channels :].clip(_FAINTEST)
        stems = stems + (shares / shares.sum(0))[:, None] * high
    yield Piece(mixture, np.ascontiguousarray(stems))


class _Queue:
    """Sound that waits, first in, first out."""

    def __init__(self) -> None:
        self._blocks: list[Sound] = []
        self.length = 0

    def put(self, block: Sound) -> None:
        """Add a block at the end."""
        if block.shape[1]:
            self._blocks.append(block)
            self.length += block.shape[1]

    def look(self, n_samples: int) -> Sound:
        """The first samples, which stay."""
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks, axis=1)]
        return self._blocks[0][:, :n_samples]

    def take(self, n_samples: int) -> Sound:
        """The first samples, which go."""
        first = self.look(n_samples)
        rest = self._blocks[0][:, n_samples:]
        self._blocks = [rest.copy()] if rest.shape[1] else []
        self.length -= n_samples
        return first


class _Channels:
    """Several channels resampled side by side."""

    def __init__(self, n_channels: int, from_hz: int, to_hz: int) -> None:
        self.n_channels = n_channels
        self._each = [Resampler(from_hz, to_hz) for _ in range(n_channels)]

    def push(self, block: Sound) -> Sound:
        """What can be said so far."""
        return np.stack([one.push(row) for one, row in zip(self._each, block, strict=True)])

    def finish(self) -> Sound:
        """The rest."""
        return np.stack([one.finish() for one in self._each])
