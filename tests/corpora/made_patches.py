"""GUS patches small enough to be made in a test."""

import struct

import numpy as np


def note(data, root_hz=440.0, modes=0, loop=(0, 0), rates=(63,) * 6, levels=(255,) * 6):
    """A sample of a patch: its header, of 96 bytes, and its data."""
    header = struct.pack("<7sBIII", b"made", 0, len(data), *loop)
    header += struct.pack("<HIIIhB", 44100, 0, 0, round(root_hz * 1000), 0, 7)
    header += bytes(rates) + bytes(levels) + bytes(6) + bytes([modes])
    return header.ljust(96, b"\0") + data


def save_patch(path, *notes):
    """A patch of one instrument with one layer."""
    content = b"GF1PATCH110\0ID#000002\0".ljust(129, b"\0") + bytes(63)
    content += bytes(6) + bytes([len(notes)]) + bytes(40) + b"".join(notes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def wave(length=400, period=100, full=8000):
    """16-bit signed samples of a sine."""
    return np.round(full * np.sin(2 * np.pi * np.arange(length) / period)).astype("<i2").tobytes()
