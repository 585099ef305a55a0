"""Reading a recording: any file, stream or array becomes one channel at one rate.

Several channels become their plain mean, and the rate changes by soxr; both happen block by
block, so that an hour of 48 kHz stereo needs little more memory than its 230 MB result.
What was done, and what looks odd (clipping, a silent channel, an early end), is in `notes`.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from diarize.audio.decode import END_TOLERANCE_S, Decoding, Undecodable, decoders, full_scale
from diarize.audio.levels import Levels
from diarize.audio.resample import Resampler, check_rate
from diarize.errors import BadCall, BadFile

RATE_HZ = 16_000  # what every model here listens at
FORMATS = "wav, flac, ogg, mp3, m4a, mp4, mkv or webm"


@dataclass(frozen=True)
class Audio:
    """One channel of sound, full scale 1, and where it came from.

    `recording` is the file's name without its last ending, as it is: formats that forbid spaces
    clean it themselves.
    """

    samples: Float32[np.ndarray, " time"]
    rate_hz: int
    recording: str
    source_rate_hz: int
    source_channels: int
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate_hz


def read_audio(
    source: str | Path | io.BufferedIOBase, rate_hz: int = RATE_HZ, name: str | None = None
) -> Audio:
    """The recording in `source`, one channel at `rate_hz`.

    `source` is a path, or a binary stream that is read to its end. `name` is what errors call
    it and what `recording` is made of; a path has its own, a stream is called "stdin".
    A recording that stops before the length in its header is taken as far as it goes, and a
    note says so.

    Raises:
        BadFile: nothing there, not audio, no samples, or samples that are not numbers.
        BadCall: `rate_hz` outside 1 kHz to 768 kHz.
    """
    check_rate(rate_hz)
    if isinstance(source, str | Path):
        path = Path(source)
        content = _path_content(path)
        name = str(path) if name is None else name
    else:
        name = "stdin" if name is None else name
        content = source.read()
    label = shown(name)

    def open_stream() -> io.BufferedIOBase:
        return path.open("rb") if content is None else io.BytesIO(content)

    with open_stream() as stream:
        head = stream.read(4096)
    if not head:
        raise BadFile(f"{label}: empty file (0 bytes); expected audio: {FORMATS}")
    if _is_text(head):
        raise BadFile(f"{label}: a text file, not audio; expected {FORMATS}")
    reasons = []
    for decode in decoders(open_stream):
        try:
            return _gather(decode(open_stream), rate_hz, label, Path(name).stem)
        except Undecodable as reason:
            reasons.append(str(reason))
    raise BadFile(f"{label}: {_why(reasons)}; expected audio: {FORMATS}")


def audio_from_array(
    samples: Any, source_rate_hz: int, rate_hz: int = RATE_HZ, recording: str = "array"
) -> Audio:
    """The sound in an array (time,) or (channel, time), one channel at `rate_hz`.

    Anything numpy can view is accepted, torch tensors included. Integers are scaled by the
    size of their type, floats are taken as they are: full scale is 1.

    Raises:
        BadCall: another shape, a type that is no number, or a rate no recording has.
        BadFile: no samples, or samples that are not numbers.

    >>> audio_from_array(np.zeros((2, 480)), 48_000).notes[:2]
    ('2 channels averaged to one', '48000 Hz resampled to 16000 Hz')
    """
    check_rate(rate_hz)
    check_rate(source_rate_hz)
    try:
        values = np.asarray(samples)
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadCall(f"{shown(recording)}: not readable as an array ({error})") from error
    if values.dtype.kind not in "fiu":
        raise BadCall(f"{shown(recording)}: an array of {values.dtype}; expected floats or ints")
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2 or not len(values) or len(values) > max(64, values.shape[1]):
        raise BadCall(
            f"{shown(recording)}: an array of shape {np.shape(samples)}; "
            "expected (time,) or (channel, time)"
        )
    n_channels, length = values.shape
    step = max(1, 2**18 // n_channels)
    blocks = (full_scale(values[:, at : at + step].T) for at in range(0, length, step))
    decoding = Decoding(source_rate_hz, n_channels, length / source_rate_hz, blocks)
    return _gather(decoding, rate_hz, shown(recording), recording)


def shown(name: str) -> str:
    """`name` for a message of one line: as it is, or quoted and escaped where it must be.

    >>> print(shown("a meeting.wav"), shown("two\\nlines.wav"))
    a meeting.wav 'two\\nlines.wav'
    """
    return name if name.isprintable() else repr(name)


def _path_content(path: Path) -> bytes | None:
    """None for a plain file, to be opened as often as needed; else all that comes out of it."""
    label = shown(str(path))
    try:
        if path.is_file() or path.is_dir() or not path.exists():
            with path.open("rb"):
                return None
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadFile(f"{label}: no such file; expected audio: {FORMATS}") from error
    except IsADirectoryError as error:
        raise BadFile(f"{label}: a folder; expected an audio file") from error
    except PermissionError as error:
        raise BadFile(f"{label}: may not be read; give yourself read permission") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadFile(f"{label}: cannot be opened ({reason}); expected an audio file") from error


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # the cut after the first bytes may have split a letter
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\t\r\n\f\ufeff" for letter in text)


def _why(reasons: list[str]) -> str:
    told = [reason for reason in reasons if "not recognised" not in reason]
    told = [reason for reason in told if "Invalid data" not in reason]
    return (
        f"cannot be decoded ({told[0]})"
        if told
        else "no audio format that is known here, or its header is damaged"
    )


def _gather(decoding: Decoding, rate_hz: int, label: str, recording: str) -> Audio:
    """Downmix, resample and collect all blocks."""
    levels = Levels(decoding.n_channels)
    stream = Resampler(decoding.rate_hz, rate_hz)
    with contextlib.closing(decoding.blocks):
        pieces = itertools.chain(
            (stream.push(mono) for mono in _mono(decoding, levels, label)),
            (stream.finish() for _ in range(1)),  # called only after the last block
        )
        samples = _joined(pieces, expected=round(((decoding.promised_s or 60) + 1) * rate_hz))
    if not levels.n_frames:
        raise BadFile(f"{label}: a header but no samples; expected at least one")
    return Audio(
        samples=samples,
        rate_hz=rate_hz,
        recording=recording,
        source_rate_hz=decoding.rate_hz,
        source_channels=decoding.n_channels,
        notes=(*_notes(decoding, rate_hz, levels.n_frames), *levels.notes()),
    )


def _notes(decoding: Decoding, rate_hz: int, n_frames: int) -> list[str]:
    notes = list(decoding.notes)
    if decoding.n_channels > 1:
        notes.append(f"{decoding.n_channels} channels averaged to one")
    if decoding.rate_hz != rate_hz:
        notes.append(f"{decoding.rate_hz} Hz resampled to {rate_hz} Hz")
    held_s = n_frames / decoding.rate_hz
    if decoding.promised_s and held_s < decoding.promised_s - END_TOLERANCE_S:
        notes.append(f"ends at {held_s:.1f} s; its header says {decoding.promised_s:.1f} s")
    return notes


def _mono(decoding: Decoding, levels: Levels, label: str) -> Iterator[Float32[np.ndarray, " time"]]:
    """The mean over channels, block by block, counted and found to be numbers."""
    for block in decoding.blocks:
        finite = np.isfinite(block)
        if not finite.all():
            at_s = (levels.n_frames + int(np.argmin(finite.all(axis=1)))) / decoding.rate_hz
            raise BadFile(
                f"{label}: a sample that is not a number (NaN or infinite) at "
                f"{at_s:.3f} s; expected numbers throughout"
            )
        mono = block[:, 0] if decoding.n_channels == 1 else block.mean(axis=1)
        levels.add(block, mono)
        yield mono


def _joined(
    pieces: Iterator[Float32[np.ndarray, " time"]], expected: int
) -> Float32[np.ndarray, " all"]:
    """All pieces end to end, in one buffer that grows in place where the guess was short."""
    buffer = np.empty(min(expected, 6 * 3600 * RATE_HZ), np.float32)
    used = 0
    for piece in pieces:
        if used + len(piece) > len(buffer):
            buffer.resize(max(used + len(piece), len(buffer) * 3 // 2), refcheck=False)
        buffer[used : used + len(piece)] = piece
        used += len(piece)
    buffer.resize(used, refcheck=False)
    return buffer
