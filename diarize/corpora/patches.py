"""GUS patches (.pat): an instrument of the Gravis UltraSound, recordings of a few of its notes.

Source: Gravis UltraSound Software Development Kit (Advanced Gravis and Forte Technologies): a patch
file is a header of 129 bytes, 63 of the instrument, 47 of its layer, then each sample's 96 and its
data; the GF1 chip moves a voice's volume in ramps, and how fast is a byte of the patch.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from diarize.corpora.soundfont_file import Envelope
from diarize.errors import BadFile

_SAMPLE = struct.Struct("<7sBIIIHIIIhB6B6B6BBhH")
_HEADER_BYTES = 96
_LAYER = 129 + 63  # where the first layer begins
_SAMPLES_AT, _LAYER_BYTES = 6, 47
_IS_16_BIT, _IS_UNSIGNED, _IS_LOOPED, _IS_THERE_AND_BACK = 1, 2, 4, 8
_IS_BACKWARDS, _IS_ENVELOPED = 16, 64
_SHORTEST_LOOP = 4  # samples; what is shorter is no loop
_AFTER_LOOP = 8  # samples kept after a loop, for a synthesizer to interpolate
FULL_RAMP_S = 47.4  # of the chip's slowest volume ramp
FULL_RAMP_CB = 360.0  # what 255 steps are taken for: factors of two, six of them
_STEPS = 255


@dataclass(frozen=True, eq=False)
class PatchNote:
    """A recording in a patch, full scale 1.

    Attributes:
        note: what it sounds as, in keys of MIDI, fractions included.
        loop: from its first sample to past its last.
        rates, levels: of the six steps of the envelope, bytes; None without an envelope.
    """

    name: str
    samples: Float[np.ndarray, " time"]
    rate_hz: int
    note: float
    loop: tuple[int, int] | None
    rates: tuple[int, ...] | None
    levels: tuple[int, ...] | None

    def envelope(self) -> Envelope:
        """How loud a note is while it lasts and after it, by the chip's ramps."""
        if self.rates is None or self.levels is None:
            return Envelope()
        (attack, decay, hold, release, *_), (first, second, third, *_) = self.rates, self.levels
        falls = max(first, second, 1) - third
        decay_s, sustain_cb = 0.0, 0
        if falls > 8:
            falling_s = _ramp_s(decay, second - first) if second < first else 0.0
            falling_s += _ramp_s(hold, third - second)
            centibels = falls / _STEPS * FULL_RAMP_CB
            decay_s = min(60.0, max(0.01, falling_s * 1000 / centibels))
            sustain_cb = int(centibels)
        release_s = _ramp_s(release, third) * 1000 / FULL_RAMP_CB
        return Envelope(
            attack_s=min(0.5, _ramp_s(attack, first)),
            decay_s=decay_s,
            sustain_cb=sustain_cb,
            release_s=float(np.clip(release_s, 0.15, 1.2)),
        )


def read_patch(path: Path | str) -> list[PatchNote]:
    """The notes of a patch's first layer, in the file's order.

    A loop that runs there and back is unrolled into one that runs on.

    Raises:
        BadFile: it cannot be read, is no patch, or is not whole.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if not content.startswith(b"GF1PATCH"):
            raise BadFile(f"{path}: no GUS patch (it does not begin with GF1PATCH)")
        notes, place = [], _LAYER + _LAYER_BYTES
        for _ in range(content[_LAYER + _SAMPLES_AT]):
            header = _SAMPLE.unpack_from(content, place)
            place += _HEADER_BYTES
            n_bytes = header[2]
            if place + n_bytes > len(content):
                raise BadFile(
                    f"{path}: {len(content)} bytes, and a sample ends at {place + n_bytes}"
                )
            notes.append(_note(header, content[place : place + n_bytes]))
            place += n_bytes
    except (OSError, IndexError, struct.error) as error:
        raise BadFile(f"{path}: cannot be read ({error})") from None
    return notes


def _note(header: tuple, data: bytes) -> PatchNote:
    name, _, _, start, end, rate_hz, _, _, root_mhz = header[:9]
    rates, levels, modes = header[11:17], header[17:23], header[29]
    width = 2 if modes & _IS_16_BIT else 1
    samples = _decoded(data, modes)
    loop = None
    if modes & _IS_LOOPED and end // width - start // width > _SHORTEST_LOOP:
        samples, loop = _looped(
            samples, start // width, end // width, bool(modes & _IS_THERE_AND_BACK)
        )
    is_enveloped = bool(modes & _IS_ENVELOPED)
    return PatchNote(
        name.split(b"\0")[0].decode("latin-1"),
        samples,
        rate_hz,
        69 + 12 * float(np.log2(max(root_mhz, 1) / 1000 / 440)),
        loop,
        rates if is_enveloped else None,
        levels if is_enveloped else None,
    )


def _decoded(data: bytes, modes: int) -> Float[np.ndarray, " time"]:
    width = 2 if modes & _IS_16_BIT else 1
    full = 1 << (8 * width - 1)
    kind = f"<{'u' if modes & _IS_UNSIGNED else 'i'}{width}"
    samples = np.frombuffer(data[: len(data) // width * width], kind).astype(float)
    samples = (samples - full if modes & _IS_UNSIGNED else samples) / full
    return samples[::-1].copy() if modes & _IS_BACKWARDS else samples


def _looped(
    samples: Float[np.ndarray, " time"], start: int, end: int, is_there_and_back: bool
) -> tuple[Float[np.ndarray, " looped"], tuple[int, int]]:
    """The samples up to a little after the loop, and the loop."""
    end = min(end, len(samples))
    if is_there_and_back:
        back = samples[start:end][::-1]
        samples = np.concatenate([samples[:end], back, samples[start : start + _AFTER_LOOP]])
        end += end - start
    missing = max(end + _AFTER_LOOP - len(samples), 0)
    samples = np.concatenate([samples, samples[start : start + missing]])
    return samples[: end + _AFTER_LOOP], (start, end)


def _ramp_s(rate: int, levels: int) -> float:
    """How long the chip takes for so many of 255 steps: six bits of speed, two of its unit."""
    speed = max(1, rate & 63) << 3 * (3 - (rate >> 6))
    return abs(levels) / _STEPS * FULL_RAMP_S / speed
