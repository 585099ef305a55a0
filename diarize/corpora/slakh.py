"""Slakh2100: songs with a file for each instrument, read strictly.

    FOLDER/{train,validation,test}/Track00001/{metadata.yaml, mix.flac, stems/S00.flac, ...}

Source: E. Manilow, G. Wichern, P. Seetharaman, J. Le Roux, "Cutting music source separation some
Slakh", WASPAA 2019; the three ways to split it are those of its `slakh-utils`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from diarize.corpora.instruments import DRUMS, SOURCES, source_of_class, source_of_program
from diarize.corpora.song_files import SongFiles, song_files
from diarize.errors import BadFile
from diarize.formats.text import read_text

SPLITS = ("train", "validation", "test")
FOLDERS = (*SPLITS, "omitted")  # the last has the duplicates that Slakh2100-redux leaves out
LAST_TRAIN, LAST_VALIDATION = "Track01500", "Track01875"  # of Slakh2100-orig
SIZES = {"orig": (1500, 375, 225), "split2": (1500, 375, 225), "redux": (1289, 270, 151)}
ENDINGS = (".flac", ".wav")  # .wav in BabySlakh
Division = Literal["folders", "orig"]
By = Literal["program_num", "inst_class"]


def slakh_songs(
    folder: Path | str,
    split: str,
    division: Division = "folders",
    resplit: Path | None = None,
    by: By = "program_num",
) -> list[SongFiles]:
    """The songs of one split, by name, with the four sources bass, drums, guitar and piano.

    The split is that of the `folders` the tracks lie in (so it is with Slakh2100-redux as it is
    distributed, and with `rendered`), or Slakh2100-`orig`, by their numbers, wherever they lie;
    `resplit` is `redux.json` or `splits_v2.json` of slakh-utils, laid over the latter. Of which
    source an instrument is, its `program_num` says, as in slakh-utils' submixes, or `inst_class`.

    Raises:
        BadFile: no such split, or a track that is not as it should be; the message names it.
    """
    folder = Path(folder)
    if resplit is not None:
        chosen = _resplit(_numbered(folder), resplit)[split]
    elif division == "orig":
        chosen = [one for one in _numbered(folder).values() if _original_split(one.name) == split]
    else:
        chosen = _tracks(folder / split)
    if not chosen:
        raise BadFile(
            f"{folder}: no track of the split {split!r} in it; expected {split}/Track00001 ..."
        )
    return [slakh_song(place, by) for place in sorted(chosen, key=lambda one: one.name)]


def slakh_parts(folder: Path | str) -> tuple[str, ...]:
    """The folders that hold tracks, Slakh's own splits first; what it leaves out is not of them.

    Raises:
        BadFile: there are none.
    """
    folder = Path(folder)
    there = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    others = [name for name in there if name not in FOLDERS]
    found = tuple(name for name in (*SPLITS, *others) if _tracks(folder / name))
    if not found:
        splits = ", ".join(f"{split}/" for split in SPLITS)
        raise BadFile(
            f"{folder}: no Slakh2100 in it; expected {splits} with folders Track00001 ..."
        )
    return found


def slakh_song(place: Path, by: By = "program_num") -> SongFiles:
    """The song in a track's folder.

    Stems with `audio_rendered: false` have no file and are passed over, as are instruments of none
    of the four sources.

    Raises:
        BadFile: metadata that cannot be used, or a stem that is missing or unlike the others.
    """
    stems = _stems(place)
    files: dict[str, list[Path]] = {source: [] for source in SOURCES}
    for name, stem in sorted(stems.items()):
        source = _source(place, name, stem, by)
        if source is not None and stem.get("audio_rendered", True):
            files[source].append(_sound(place, name))
    return song_files(place.name, place, files)


def size_note(n_songs: Mapping[str, int]) -> str | None:
    """What to say of a corpus that is not of a known size, or None.

    >>> size_note({"train": 1289, "validation": 270, "test": 151})
    >>> size_note({"train": 20, "validation": 0, "test": 0})
    'slakh: 20/0/0 tracks; Slakh2100 has 1500/375/225 (orig, split2) or 1289/270/151 (redux)'
    """
    found = tuple(n_songs.get(split, 0) for split in SPLITS)
    if found in SIZES.values():
        return None
    told = "/".join(map(str, found))
    return (
        f"slakh: {told} tracks; Slakh2100 has 1500/375/225 (orig, split2) or 1289/270/151 (redux)"
    )


def _tracks(folder: Path) -> list[Path]:
    return sorted(one for one in folder.glob("Track*") if one.is_dir())


def _numbered(folder: Path) -> dict[str, Path]:
    """Every track's folder by its name, whichever split it lies in."""
    places: dict[str, Path] = {}
    for name in FOLDERS:
        for place in _tracks(folder / name):
            if place.name in places:
                raise BadFile(f"{place}: also in {places[place.name].parent.name}; expected once")
            places[place.name] = place
    return places


def _original_split(track: str) -> str:
    if track <= LAST_TRAIN:
        return "train"
    return "validation" if track <= LAST_VALIDATION else "test"


def _resplit(places: Mapping[str, Path], path: Path) -> dict[str, list[Path]]:
    try:
        rules = json.loads(read_text(path))
        splits: dict[str, list[Path]] = {split: [] for split in (*SPLITS, "omitted")}
        for track, rule in rules.items():
            target = {None: rule["source_split"], "omit": "omitted"}.get(
                rule["action"], rule.get("destination_split")
            )
            if track in places:
                splits[target].append(places[track])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadFile(
            f"{path}: no rules to split by; expected redux.json or splits_v2.json of slakh-utils"
        ) from None
    return splits


def _stems(place: Path) -> dict[str, dict[str, Any]]:
    import yaml

    path = place / "metadata.yaml"
    try:
        facts = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        where = str(error).split("\n")[-1].strip()
        raise BadFile(f"{place}: metadata.yaml is no YAML ({where})") from None
    stems = facts.get("stems") if isinstance(facts, dict) else None
    if not isinstance(stems, dict) or not all(isinstance(one, dict) for one in stems.values()):
        raise BadFile(f"{place}: metadata.yaml has no table `stems` of tables")
    return stems


def _source(place: Path, name: str, stem: Mapping[str, Any], by: By) -> str | None:
    found = stem.get(by)
    if by == "inst_class" and isinstance(found, str):
        return source_of_class(found)
    if by == "program_num" and isinstance(found, int) and 0 <= found <= DRUMS:
        return source_of_program(found)
    right = "a name" if by == "inst_class" else "0 to 127, or 128 for drums"
    raise BadFile(f"{place}: metadata.yaml: stems.{name}.{by} = {found!r}; expected {right}")


def _sound(place: Path, name: str) -> Path:
    there: Sequence[Path] = [place / "stems" / f"{name}{ending}" for ending in ENDINGS]
    return next((path for path in there if path.exists()), there[0])
