"""What a soundfont holds, read from its list of presets; a damaged one is found before it plays."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.corpora.instruments import DRUMS, programs_of
from diarize.errors import BadFile

DRUM_BANK = 128
KITS = range(48)  # 48 is an orchestra's percussion and 56 sound effects
MUSICAL_BANKS = range(16)  # variations of an instrument lie in low banks
_HEADER = struct.Struct("<20sHHHIII")  # of a preset: name, number, bank, ...
_ENDINGS = (".sf2", ".sf3")


@dataclass(frozen=True)
class Preset:
    """An instrument of a soundfont: its bank and number there, its name, and the file it is in."""

    bank: int
    number: int
    name: str
    path: Path


@dataclass(frozen=True)
class Soundfont:
    """A sound file of instruments, or several as one; `name` is what settings call it."""

    name: str
    presets: tuple[Preset, ...]

    def players(self, source: str) -> list[Preset]:
        """The presets that can play a class of instruments, in order."""
        if source == "drums":
            return [one for one in self.presets if one.bank == DRUM_BANK and one.number in KITS]
        wanted = programs_of(source)
        return [one for one in self.presets if one.bank in MUSICAL_BANKS and one.number in wanted]

    def plain(self, program: int) -> list[Preset]:
        """The plain preset of a program (128: the standard kit of drums), of each file with one."""
        place = (DRUM_BANK, 0) if program == DRUMS else (0, program)
        return [one for one in self.presets if (one.bank, one.number) == place]


def pooled(soundfonts: Sequence[Soundfont]) -> Soundfont:
    """Several soundfonts as one, whose name is theirs with "+" between them.

    For files that hold some instruments only, as kits of drums: each part of a song is played by
    a preset of any of them.
    """
    presets = tuple(preset for one in soundfonts for preset in one.presets)
    return Soundfont("+".join(one.name for one in soundfonts), presets)


def read_soundfont(path: Path | str) -> Soundfont:
    """What a soundfont (SF2, or SF3 with compressed samples) holds.

    Raises:
        BadFile: it cannot be read, is no soundfont, or is not whole.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(12)
            if start[:4] != b"RIFF" or start[8:] != b"sfbk":
                raise BadFile(f"{path}: no soundfont (it does not begin with RIFF and sfbk)")
            said = struct.unpack("<I", start[4:8])[0] + 8
            if size < said:
                raise BadFile(f"{path}: {size} bytes, and says it has {said}; get it anew")
            presets = []
            for name, where, length in chunks(file, said):
                if name == b"phdr":
                    file.seek(where)
                    presets = _presets(file.read(length), path)
    except (OSError, struct.error) as error:
        raise BadFile(f"{path}: cannot be read ({error})") from None
    if not presets:
        raise BadFile(f"{path}: a soundfont without presets")
    return Soundfont(path.stem, tuple(sorted(presets, key=lambda one: (one.bank, one.number))))


def find_soundfonts(folders: Sequence[Path]) -> dict[str, Path]:
    """The soundfonts in `folders` by name; of two of one name, that in the earlier folder."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*")) if folder.is_dir() else []:
            if path.suffix.lower() in _ENDINGS:
                found.setdefault(path.stem, path)
    return found


def chunks(file, end: int) -> Iterator[tuple[bytes, int, int]]:  # type: ignore[no-untyped-def]
    """The name, place and length of every chunk that is no list of others."""
    place = 12
    while place + 8 <= end:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"LIST":
            place += 12
            continue
        yield name, place + 8, length
        place += 8 + length
        if length % 2:  # a byte should follow that evens it; SF3 files are about that leave it out
            file.seek(place)
            place += file.read(1) == b"\0"


def _presets(table: bytes, path: Path) -> list[Preset]:
    rows = [_HEADER.unpack_from(table, at) for at in range(0, len(table) - 37, _HEADER.size)]
    named = [
        Preset(bank, number, name.split(b"\0")[0].decode("latin-1").strip(), path)
        for name, number, bank, *_ in rows[:-1]  # the last only ends the table
    ]
    return [one for one in named if one.bank <= DRUM_BANK and one.number < 128]
