"""Songs prepared for separation: every source of every song in a file of its own, at one rate.

    DATA/stems/test/Track00001/{bass,drums,guitar,piano}.wav    DATA/stems/songs.json
    DATA/mixtures/test/Track00001.wav    DATA/activity/test/Track00001.rttm

So MSDM's ready-made copy of Slakh2100 has the stems too. Files are of 16 bits, or of 32 where sound
passes full scale; a source that does not play is silence. Mixtures, the sums of the sources, and
which source plays when are written of all parts but that to train on; of some of the sources, in a
folder of their own (`corpora.stem_sets`).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from diarize.audio.resample import resample
from diarize.corpora.musdb18hq import musdb_songs
from diarize.corpora.slakh import SPLITS, size_note, slakh_parts, slakh_songs
from diarize.corpora.song_files import SongFiles
from diarize.corpora.stem_sets import FOLDER, save_exactly, save_test_song
from diarize.corpora.stem_settings import StemSettings
from diarize.errors import BadFile
from diarize.formats.text import read_text, save_text

SUMMARY = "songs.json"


def prepare_stems(
    folder: Path, settings: StemSettings, part: tuple[int, int] | None = None
) -> Path:
    """Prepare the songs that are not there yet; return the path of the summary.

    `part` (2, 3) prepares every third song from the second on; who finds all there writes the
    summary, which keeps what it says of other parts.

    Raises:
        BadFile: a song that is not as its layout says, or songs prepared by other settings.
    """
    place = folder / FOLDER
    songs = {name: songs_of(folder, settings, name) for name in parts_of(folder, settings)}
    wanted, left_out = _sorted_out(songs, settings)
    _check_made(place, settings)
    number, of = part or (1, 1)
    for name, song in wanted[number - 1 :: of]:
        if not _is_whole(place / name / song.name, settings):
            _prepare(place / name / song.name, song, settings)
        if name != settings.train_part:
            save_test_song(folder, name, song.name, settings)
    path = place / SUMMARY
    if all(_is_whole(place / name / song.name, settings) for name, song in wanted):
        own = {name: [one for part_, one in wanted if part_ == name] for name in songs}
        _save_summary(path, own, left_out, settings)
    return path


def parts_of(folder: Path, settings: StemSettings) -> tuple[str, ...]:
    """The parts that the settings name, or all that are there."""
    if settings.parts:
        return settings.parts
    if settings.layout == "musdb18hq" or settings.division == "orig" or settings.resplit:
        return SPLITS
    return slakh_parts(settings.songs or folder)


def songs_of(folder: Path, settings: StemSettings, part: str) -> list[SongFiles]:
    """The songs of a part, as the layout has them.

    Raises:
        BadFile: none, or one that is not as it should be.
    """
    place = settings.songs or folder
    if settings.layout == "musdb18hq":
        return musdb_songs(place, part)
    return slakh_songs(place, part, settings.division, settings.resplit, settings.by)


def prepared_songs(folder: Path, settings: StemSettings) -> Mapping[str, list[str]]:
    """The names of the songs that were prepared in `folder`, by part.

    Raises:
        BadFile: none were, or by other settings.
    """
    path = folder / FOLDER / SUMMARY
    _check_made(folder / FOLDER, settings)
    try:
        parts = json.loads(read_text(path))["parts"]
        return {name: list(part["songs"]) for name, part in parts.items()}
    except (BadFile, ValueError, KeyError, TypeError):
        raise BadFile(f"{path}: no list of songs; run diarize prepare stems first") from None


def _sorted_out(
    songs: Mapping[str, Iterable[SongFiles]], settings: StemSettings
) -> tuple[list[tuple[str, SongFiles]], dict[str, str]]:
    """The songs to prepare, with their part, and the others with the reason."""
    wanted, left_out = [], {}
    for name, own in songs.items():
        for song in own:
            if settings.least_s <= song.duration_s <= settings.most_s:
                wanted.append((name, song))
            else:
                left_out[f"{name}/{song.name}"] = f"{song.duration_s:.1f} s"
    return wanted, left_out


def _prepare(place: Path, song: SongFiles, settings: StemSettings) -> None:
    """Write a song's sources; its folder appears when all are there."""
    unfinished = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        for source in settings.all_sources:
            samples = _converted(song.source(source), song.rate_hz, settings)
            save_exactly(unfinished / f"{source}.wav", samples, settings.rate_hz)
        shutil.rmtree(place, ignore_errors=True)
        unfinished.replace(place)
    except OSError as error:
        raise BadFile(f"{place}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _converted(
    samples: Float32[np.ndarray, "channel time"], rate_hz: int, settings: StemSettings
) -> Float32[np.ndarray, "out_channel out_time"]:
    if settings.n_channels == 1:
        samples = samples.mean(axis=0, keepdims=True)
    elif len(samples) == 1:
        samples = np.repeat(samples, 2, axis=0)
    if rate_hz == settings.rate_hz:
        return samples
    return np.stack([resample(channel, rate_hz, settings.rate_hz) for channel in samples])


def _is_whole(place: Path, settings: StemSettings) -> bool:
    return all((place / f"{source}.wav").is_file() for source in settings.all_sources)


def _check_made(place: Path, settings: StemSettings) -> None:
    """Keep what was prepared by these settings apart from what was by others."""
    path, wanted = place / "settings.json", settings.prepared()
    try:
        made: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        save_text(path, json.dumps(wanted, indent=2) + "\n")
        return
    except (OSError, ValueError):
        made = None
    for name, value in wanted.items():
        found = made.get(name) if isinstance(made, dict) else None
        if found != value:
            raise BadFile(
                f"{path}: prepared with {name} = {found}, and {value} is wanted; remove {place}, "
                "or take another data folder"
            )


def _save_summary(
    path: Path,
    songs: Mapping[str, list[SongFiles]],
    left_out: Mapping[str, str],
    settings: StemSettings,
) -> None:
    parts: dict[str, Any] = {}
    with contextlib.suppress(BadFile, ValueError, KeyError, TypeError):
        parts.update(json.loads(read_text(path))["parts"])
    for name, own in songs.items():
        parts[name] = {
            "songs": [song.name for song in own],
            "duration_s": round(sum(song.duration_s for song in own), 1),
            "without": {
                source: sum(not song.files[source] for song in own)
                for source in settings.all_sources
            },
            "left_out": {
                one.partition("/")[2]: why
                for one, why in left_out.items()
                if one.startswith(f"{name}/")
            },
        }
    facts = {
        "corpus": "stems",
        "sources": list(settings.all_sources),
        "parts": parts,
        "settings": settings.prepared(),
    }
    sizes = {name: len(part["songs"]) for name, part in parts.items()}
    is_made = (path.parent.parent / "summary.json").exists()  # as `rendered` leaves it
    if settings.layout == "slakh" and not is_made and (note := size_note(sizes)):
        facts["note"] = note
    save_text(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
