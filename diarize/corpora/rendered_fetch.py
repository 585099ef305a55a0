"""What music is rendered from, put together in one folder: MIDI files, soundfonts, a synthesizer.

DATA/midi/*.mid (copies)    DATA/soundfonts/NAME.sf2 (links, or packed of what packages hold)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.corpora.midi_song import find_midi
from diarize.corpora.packed_soundfonts import (
    DEBIAN_PACKAGES,
    NPM_REMEDY,
    PACKED,
    npm_folders,
    pack_soundfont,
)
from diarize.corpora.rendered_settings import RenderedSettings
from diarize.corpora.soundfont import find_soundfonts, read_soundfont
from diarize.corpora.synthesizer import synthesizer
from diarize.errors import BadCall, BadFile
from diarize.formats.whole import whole

MIDI_FOLDERS = (Path("/usr/share/games/openttd/baseset/openmsx"),)  # Debian's openttd-openmsx
PACKAGES = (
    "fluidsynth fluid-soundfont-gm musescore-general-soundfont-small opl3-soundfont "
    f"timgm6mb-soundfont openttd-openmsx {DEBIAN_PACKAGES}"
)
OF_NPM = {"sonivox": "@coderline/alphatab/dist/soundfont"}
REMEDY = f"on Debian or Ubuntu: apt-get install {PACKAGES}"


@dataclass(frozen=True)
class FetchedMidi:
    """Where the MIDI files are, how many, whether any was new, and what a user should know."""

    folder: Path
    n_songs: int
    is_new: bool
    notes: tuple[str, ...] = ()


def fetch_rendered(
    folder: Path, settings: RenderedSettings, soundfonts: Sequence[Path] = ()
) -> FetchedMidi:
    """Copy the MIDI files into `folder`, and link the soundfonts that the parts name.

    MIDI files are taken from the folders that the settings name, or else from Debian's
    `openttd-openmsx`; soundfonts from the folders `soundfonts`, or else from those of the settings.
    One that is in none of them is packed, if it is one of `packed_soundfonts.PACKED`; `soundfonts`
    may also be where npm's packages lie, of which some are packed.

    Raises:
        BadFile: no MIDI file, or a soundfont that is nowhere; the message says how to get it.
        BadCall: no synthesizer; the message says how to get one.
    """
    try:
        plays = synthesizer(settings.synthesizer)
    except BadCall as error:
        raise BadCall(f"{error}; {REMEDY}") from None
    notes = [f"rendered: {plays.name} will play"]
    notes += _link_soundfonts(folder / "soundfonts", settings, soundfonts)
    places = settings.midi or tuple(one for one in MIDI_FOLDERS if one.is_dir())
    target = folder / "midi"
    is_new = False
    for place in places:
        for path in find_midi(place):
            is_new |= _copy(path, target / _name(path, place, places))
    if not target.is_dir():
        raise BadFile(f"{folder}: no MIDI files; name folders of them with --midi, or {REMEDY}")
    n_songs = len(find_midi(target))
    return FetchedMidi(target, n_songs, is_new, tuple(notes))


def _name(path: Path, place: Path, places: Sequence[Path]) -> str:
    """What a copy is called: as it was, after its folder's name where there are several folders."""
    parts = path.relative_to(place).parts
    return "_".join((place.name, *parts) if len(places) > 1 else parts)


def _copy(path: Path, target: Path) -> bool:
    content = path.read_bytes()
    if target.is_file() and target.read_bytes() == content:
        return False
    with whole(target) as unfinished:
        unfinished.write_bytes(content)
    return True


def _link_soundfonts(
    folder: Path, settings: RenderedSettings, soundfonts: Sequence[Path]
) -> list[str]:
    wanted = settings.soundfont_names()
    packages = [place for inside in OF_NPM.values() for place in npm_folders(inside, soundfonts)]
    found = find_soundfonts([*soundfonts, folder, *settings.soundfont_folders, *packages])
    notes = []
    for name in wanted:
        if name not in found and name in PACKED:
            found[name] = pack_soundfont(name, folder, soundfonts)
            notes.append(f"rendered: packed {found[name]}")
        if name not in found:
            there = ", ".join(found) or "none"
            remedy = NPM_REMEDY if name in OF_NPM else REMEDY
            raise BadFile(
                f"soundfont {name!r} is nowhere (there: {there}); name its folder with "
                f"--soundfonts, or {remedy}"
            )
        try:
            read_soundfont(found[name])
        except BadFile as error:
            notes.append(f"rendered: left out: {error}")
            continue
        link = folder / found[name].name
        if link.absolute() != found[name].absolute():
            folder.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.realpath(found[name]))
    return notes
