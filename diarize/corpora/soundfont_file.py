"""Soundfont files (SF2): writing one of presets and zones, and reading the samples of another.

Source: SoundFont Technical Specification, 2.01 (E-mu Systems, 1998) and 2.04 (2006): chapter
4 on RIFF, 5 on the file's facts, 6 on samples, 7 on the lists of presets, 8.1.2 on generators.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int16

from diarize.corpora.soundfont import chunks
from diarize.errors import BadCall, BadFile
from diarize.formats.whole import whole

SILENCE = 46  # samples of it after each sample, by section 6.1
SHORTEST_S = 0.001  # -12,000 timecents, which stand for no time at all
_NAME_BYTES = 20
_SAMPLE = struct.Struct("<20s5IBbHH")  # name, start, end, loop, rate, key, cents, link, type
_MONO = 1


@dataclass(frozen=True, eq=False)
class Sample:
    """A sound of one channel; `loop` is from the loop's first sample to past its last."""

    samples: Int16[np.ndarray, " time"]
    rate_hz: int
    name: str
    loop: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        sound: Float[np.ndarray, " time"],
        rate_hz: int,
        name: str,
        loop: tuple[int, int] | None = None,
    ) -> Sample:
        """The sample of a sound, full scale 1; what is louder is cut off there."""
        return cls(
            np.clip(np.round(sound * 32767), -32768, 32767).astype("<i2"), rate_hz, name, loop
        )

    @property
    def sound(self) -> Float[np.ndarray, " time"]:
        """The sound, full scale 1."""
        return self.samples / 32768


@dataclass(frozen=True)
class Envelope:
    """How loud a note is while it lasts and after it.

    Attributes:
        attack_s: until it is as loud as it gets; no more than 2 ms count as none.
        decay_s: how long falling by 100 dB would take; it stops at `sustain_cb`.
        sustain_cb: what a held note ends up at, in centibels below its loudest; 0: it never falls.
        release_s: how long falling by 100 dB takes once the key is let go.
    """

    attack_s: float = 0.0
    decay_s: float = 0.0
    sustain_cb: int = 0
    release_s: float = 0.3


@dataclass(frozen=True)
class Zone:
    """The keys and velocities at which a sample plays, and how.

    Attributes:
        root: the key at which the sample sounds as it was recorded, but for `cents`.
        keys, velocities: the first and the last, 0 to 127.
        cents: by how much it is tuned higher.
        attenuation_cb: by how much it is softer, centibels.
        choke: notes of the same number, but 0, end one another, as open and closed hi-hats.
        is_fixed: every key sounds the same.
    """

    sample: Sample
    root: int
    keys: tuple[int, int] = (0, 127)
    velocities: tuple[int, int] = (0, 127)
    cents: int = 0
    attenuation_cb: int = 0
    envelope: Envelope = field(default_factory=Envelope)
    choke: int = 0
    is_fixed: bool = False

    def __post_init__(self) -> None:
        for name, (first, last) in (("keys", self.keys), ("velocities", self.velocities)):
            if not 0 <= first <= last <= 127:
                raise BadCall(
                    f"zone of {self.sample.name!r}: {name} = {first}, {last}; expected 0 to 127"
                )
        if not 0 <= self.root <= 127:
            raise BadCall(f"zone of {self.sample.name!r}: root = {self.root}; expected 0 to 127")


@dataclass(frozen=True)
class ZonedPreset:
    """An instrument to be written: its place by General MIDI (bank 128: drums), name and zones."""

    bank: int
    number: int
    name: str
    zones: tuple[Zone, ...]


def save_soundfont(
    path: Path | str, presets: Sequence[ZonedPreset], title: str, licence: str, comment: str
) -> None:
    """Write a soundfont of `presets`; a sample that several zones play is kept once.

    Raises:
        BadFile: it cannot be written.
    """
    ordered = sorted(presets, key=lambda one: (one.bank, one.number))
    first: dict[Sample, Zone] = {}  # who plays a sample first says what its key is
    for zone in (zone for preset in ordered for zone in preset.zones):
        first.setdefault(zone.sample, zone)
    numbers = {sample: number for number, sample in enumerate(first)}
    told = {b"INAM": title, b"ICOP": licence, b"ICMT": comment}
    facts = _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"isng", b"EMU8000\0")
    facts = _listed(
        b"INFO", facts + b"".join(_chunk(name, _text(said)) for name, said in told.items())
    )
    lists = _listed(b"pdta", _presets(ordered, numbers) + _chunk(b"shdr", _headers(first)))
    n_bytes = sum(2 * (len(sample.samples) + SILENCE) for sample in first)
    with whole(path) as unfinished, unfinished.open("wb") as file:
        size = len(b"sfbk") + len(facts) + 20 + n_bytes + len(lists)
        file.write(b"RIFF" + struct.pack("<I", size) + b"sfbk" + facts)
        file.write(b"LIST" + struct.pack("<I", 12 + n_bytes) + b"sdta")
        file.write(b"smpl" + struct.pack("<I", n_bytes))
        for sample in first:
            file.write(sample.samples.astype("<i2").tobytes() + bytes(2 * SILENCE))
        file.write(lists)


def read_samples(path: Path | str) -> list[Sample]:
    """The samples of a soundfont in order, without their loops.

    Raises:
        BadFile: it cannot be read, or is no soundfont of plain samples (SF2).
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        found = {
            name: content[place : place + length]
            for name, place, length in chunks(io.BytesIO(content), len(content))
        }
        sound = np.frombuffer(found[b"smpl"], "<i2")
        rows = list(_SAMPLE.iter_unpack(found[b"shdr"]))[:-1]  # the last only ends the list
    except (OSError, KeyError, ValueError, struct.error) as error:
        raise BadFile(f"{path}: no soundfont whose samples can be read ({error})") from None
    return [
        Sample(sound[start:end], rate_hz, name.split(b"\0")[0].decode("latin-1"))
        for name, start, end, _, _, rate_hz, *_ in rows
    ]


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _listed(name: bytes, chunks: bytes) -> bytes:
    return _chunk(b"LIST", name + chunks)


def _text(said: str) -> bytes:
    """As latin-1, ended by one zero or two, an even number of bytes."""
    content = said.encode("latin-1", "replace")[:250]
    return content + b"\0" * (2 - len(content) % 2)


def _name(said: str) -> bytes:
    return said.encode("latin-1", "replace")[: _NAME_BYTES - 1].ljust(_NAME_BYTES, b"\0")


def _presets(presets: Iterable[ZonedPreset], numbers: dict[Sample, int]) -> bytes:
    """The lists of presets, each of one instrument, and of instruments, each of its zones."""
    phdr = pbag = pgen = inst = ibag = igen = b""
    n_presets = n_zones = n_generators = 0
    for preset in presets:
        name = _name(preset.name)
        phdr += name + struct.pack("<HHHIII", preset.number, preset.bank, n_presets, 0, 0, 0)
        pbag += struct.pack("<HH", n_presets, 0)
        pgen += struct.pack("<HH", 41, n_presets)  # the instrument
        inst += name + struct.pack("<H", n_zones)
        for zone in preset.zones:
            generators = _generators(zone, numbers[zone.sample])
            ibag += struct.pack("<HH", n_generators, 0)
            igen += b"".join(struct.pack("<Hh", *one) for one in generators)
            n_generators += len(generators)
        n_presets += 1
        n_zones += len(preset.zones)
    phdr += _name("EOP") + struct.pack("<HHHIII", 0, 0, n_presets, 0, 0, 0)
    pbag += struct.pack("<HH", n_presets, 0)
    inst += _name("EOI") + struct.pack("<H", n_zones)
    ibag += struct.pack("<HH", n_generators, 0)
    before = (b"phdr", phdr), (b"pbag", pbag), (b"pmod", bytes(10)), (b"pgen", pgen + bytes(4))
    after = (b"inst", inst), (b"ibag", ibag), (b"imod", bytes(10)), (b"igen", igen + bytes(4))
    return b"".join(_chunk(name, content) for name, content in (*before, *after))


def _generators(zone: Zone, sample: int) -> list[tuple[int, int]]:
    """The numbers and amounts of a zone's generators: keys first, velocities next, sample last."""
    envelope, (coarse, fine) = zone.envelope, divmod(zone.cents + 50, 100)
    made = [(43, _range(zone.keys))]
    made += [(44, _range(zone.velocities))] * (zone.velocities != (0, 127))
    made += [(48, zone.attenuation_cb)] * (zone.attenuation_cb != 0)
    made += [(34, _timecents(envelope.attack_s))] * (envelope.attack_s > 0.002)
    if envelope.sustain_cb:
        made += [(36, _timecents(envelope.decay_s)), (37, envelope.sustain_cb)]
    made += [(38, _timecents(envelope.release_s))]
    made += [(57, zone.choke)] * (zone.choke != 0)
    made += [(56, 0)] * zone.is_fixed
    made += [(54, 1)] * (zone.sample.loop is not None)
    made += [(51, coarse)] * (coarse != 0)
    made += [(52, fine - 50)] * (fine != 50)
    return [*made, (58, zone.root), (53, sample)]


def _range(ends: tuple[int, int]) -> int:
    return ends[0] | ends[1] << 8


def _timecents(time_s: float) -> int:
    return round(1200 * float(np.log2(max(time_s, SHORTEST_S))))


def _headers(first: dict[Sample, Zone]) -> bytes:
    rows, place = b"", 0
    for sample, zone in first.items():
        length, (start, end) = len(sample.samples), sample.loop or (0, 0)
        rows += _SAMPLE.pack(
            _name(sample.name),
            place,
            place + length,
            place + start,
            place + end,
            sample.rate_hz,
            zone.root,
            0,
            0,
            _MONO,
        )
        place += length + SILENCE
    return rows + _SAMPLE.pack(_name("EOS"), *(0,) * 9)
