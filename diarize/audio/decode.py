"""Opening audio of any kind: blocks of samples at the file's own rate, by soundfile or PyAV.

soundfile (libsndfile) is asked first, whatever the name ends in, and PyAV (FFmpeg's libraries)
when that does not know the format. MPEG audio goes to PyAV at once, because the mp3 decoder
inside libsndfile writes its complaints on stderr, where no program can catch them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any

import av
import numpy as np
import soundfile
from jaxtyping import Float32, Shaped

from diarize.audio.resample import HIGHEST_HZ, LOWEST_HZ

BLOCK_VALUES = 2**18  # samples of all channels together that are decoded at a time: 1 MB
END_TOLERANCE_S = 0.1  # containers round and pad; a shortfall under this is not worth a word


class Undecodable(Exception):
    """This decoder cannot read that; the message is why, in a few words."""


@dataclass(frozen=True)
class Decoding:
    """Audio being decoded. `blocks` yields (time, channel), full scale 1, and can run once.

    `promised_s` is the length its header tells, None when it tells none.
    """

    rate_hz: int
    n_channels: int
    promised_s: float | None
    blocks: Generator[Float32[np.ndarray, "time channel"], None, None]
    notes: tuple[str, ...] = ()


Opener = Callable[[], BufferedIOBase]  # a fresh, seekable binary stream at its beginning


def decoders(open_stream: Opener) -> tuple[Callable[[Opener], Decoding], ...]:
    """The decoders to try on this stream, in order."""
    with open_stream() as stream:
        head = stream.read(4)
    is_mpeg = head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0)
    return (pyav_decoding,) if is_mpeg else (soundfile_decoding, pyav_decoding)


def soundfile_decoding(open_stream: Opener) -> Decoding:
    """Decode by libsndfile: wav, flac, ogg, aiff, caf and the like.

    Raises:
        Undecodable: here, or while the blocks are read.
    """
    stream = open_stream()
    try:
        # a bare descriptor has no name, and so no ending that libsndfile could take for raw data
        handle: Any = stream.fileno()
    except OSError:
        handle = stream
    try:
        sound = soundfile.SoundFile(handle, closefd=False)
    except (soundfile.LibsndfileError, TypeError) as error:
        stream.close()
        raise Undecodable(_words(error)) from error
    if not LOWEST_HZ <= sound.samplerate <= HIGHEST_HZ:
        with stream, sound:
            raise Undecodable(f"its header says {sound.samplerate} Hz")
    frames = _promised_frames(sound)
    return Decoding(
        rate_hz=sound.samplerate,
        n_channels=sound.channels,
        promised_s=None if frames is None else frames / sound.samplerate,
        blocks=_soundfile_blocks(sound, stream),
    )


def _soundfile_blocks(
    sound: soundfile.SoundFile, stream: BufferedIOBase
) -> Generator[Float32[np.ndarray, "time channel"], None, None]:
    n_frames = max(1024, BLOCK_VALUES // sound.channels)
    with stream, sound:
        while True:
            try:
                block = sound.read(n_frames, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise Undecodable(_words(error)) from error
            if not len(block):
                return
            yield block


def _promised_frames(sound: soundfile.SoundFile) -> int | None:
    """The length in the header. libsndfile mends a wav's, and leaves it in its log."""
    if mended := re.search(r"data : (\d+) \(should be \d+\)", sound.extra_info):
        n_bytes = int(mended[1])
        align = re.search(r"Block Align\s*: (\d+)", sound.extra_info)
        # 0 and the largest numbers are what programs write that do not know the length yet
        if align and int(align[1]) and 0 < n_bytes < 0x7FFF0000:
            return n_bytes // int(align[1])
        return None
    return sound.frames if 0 < sound.frames < 2**62 else None


def pyav_decoding(open_stream: Opener) -> Decoding:
    """Decode by FFmpeg: m4a, mp4 and other video, aac, opus, mp3.

    The rate and channels are those of the first decoded frame, for some AAC headers tell half
    the rate. A damaged packet is left out, and what follows moves up.

    Raises:
        Undecodable: not a container FFmpeg knows, or no audio in it.
    """
    try:
        with contextlib.ExitStack() as held:
            stream = held.enter_context(open_stream())
            container = held.enter_context(av.open(stream, mode="r"))
            return _pyav_opened(container, held)
    except (av.FFmpegError, EOFError, ValueError) as error:
        raise Undecodable(_words(error)) from error


def _pyav_opened(container: Any, held: contextlib.ExitStack) -> Decoding:
    """The best audio stream of `container`; on success what is `held` passes to the blocks."""
    audio = container.streams.best("audio")
    if audio is None:
        found = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
        raise Undecodable(f"no audio stream in it, only {found}")
    frames = _pyav_frames(container, audio)
    first = next(frames, None)
    if first is None or not first.sample_rate or not first.layout.nb_channels:
        raise Undecodable("its audio stream holds no samples")
    if not LOWEST_HZ <= first.sample_rate <= HIGHEST_HZ:
        raise Undecodable(f"its header says {first.sample_rate} Hz")
    promised_s = None
    if audio.duration:
        promised_s = float(audio.duration * audio.time_base)
    elif container.duration:
        promised_s = container.duration / 1_000_000
    return Decoding(
        rate_hz=first.sample_rate,
        n_channels=first.layout.nb_channels,
        promised_s=promised_s,
        notes=_pyav_notes(container, audio),
        blocks=_pyav_blocks(first, frames, held.pop_all()),
    )


def _pyav_blocks(
    first: Any, frames: Iterator[Any], held: contextlib.ExitStack
) -> Generator[Float32[np.ndarray, "time channel"], None, None]:
    kind = (first.sample_rate, first.layout.nb_channels)
    frame, waiting, n_waiting = first, [], 0
    with held:
        # a change of rate or channels in the middle cannot be one recording: stop there
        while frame is not None and (frame.sample_rate, frame.layout.nb_channels) == kind:
            # frames are some 1000 samples: gathered, for what follows costs by the block
            waiting.append(full_scale(_channels_last(frame)))
            n_waiting += waiting[-1].size
            if n_waiting >= BLOCK_VALUES:
                yield np.concatenate(waiting)
                waiting, n_waiting = [], 0
            frame = next(frames, None)
        if n_waiting:
            yield np.concatenate(waiting)


def _pyav_frames(container: Any, audio: Any) -> Iterator[Any]:
    """Every frame that can be decoded. A damaged packet is passed over, as players do."""
    packets = container.demux(audio)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, EOFError):
            return
        if packet is None:
            return
        with contextlib.suppress(av.FFmpegError, EOFError):
            yield from packet.decode()


def _channels_last(frame: Any) -> Shaped[np.ndarray, "time channel"]:
    values: np.ndarray = frame.to_ndarray()
    return values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)


def full_scale(values: Shaped[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """`values` as float32 with full scale at 1; integers are taken by the size of their type."""
    if values.dtype.kind == "u":
        half = 2.0 ** (8 * values.dtype.itemsize - 1)
        return ((values.astype(np.float64) - half) / half).astype(np.float32)
    if values.dtype.kind == "i":
        return (values / 2.0 ** (8 * values.dtype.itemsize - 1)).astype(np.float32)
    return values.astype(np.float32)


def _pyav_notes(container: Any, audio: Any) -> tuple[str, ...]:
    notes = []
    n_streams = len(container.streams.audio)
    if n_streams > 1:
        order = [one.index for one in container.streams.audio].index(audio.index) + 1
        notes.append(f"audio stream {order} of {n_streams} taken")
    if audio.start_time and container.start_time is not None:
        late_s = float(audio.start_time * audio.time_base) - container.start_time / 1_000_000
        if late_s > END_TOLERANCE_S:
            notes.append(
                f"audio begins {late_s:.3f} s into the file; times count from its beginning"
            )
    return tuple(notes)


def _words(error: BaseException) -> str:
    """The decoder's reason, without the file's name and on one line."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
