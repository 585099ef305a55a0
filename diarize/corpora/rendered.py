"""Music made of MIDI files and soundfonts, in folders as Slakh2100 has them, stems known exactly.

In the data folder a folder for each part (`train`, `validation`, `test` ...), in it a folder for
each track, and `summary.json`. A track depends on the settings, its song's notes, its soundfont,
the seed and the take, not on the other tracks nor on how many processes were at work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diarize.corpora.midi_song import Song, find_midi, read_song
from diarize.corpora.rendered_settings import PartSettings, RenderedSettings
from diarize.corpora.rendered_track import METADATA, render_track
from diarize.corpora.soundfont import Soundfont, find_soundfonts, pooled, read_soundfont
from diarize.corpora.synthesizer import synthesizer
from diarize.corpora.take import plan_take, sources_of
from diarize.errors import BadFile
from diarize.formats.text import save_text

SUMMARY = "summary.json"
VERSION = 1  # of how tracks are made; another makes them anew


@dataclass(frozen=True)
class Listed:
    """A song that can be used: where it is, what it is called, the hash of its notes."""

    path: Path
    name: str
    fingerprint: str


@dataclass(frozen=True)
class Planned:
    """A track to be made: its part and name, the song, the soundfont, the number of the take."""

    part: str
    name: str
    song: Listed
    soundfont: Soundfont
    take: int


@dataclass
class Plan:
    """All tracks of a corpus in order, and what had to be left out and why."""

    tracks: list[Planned] = field(default_factory=list)
    skipped_songs: dict[str, str] = field(default_factory=dict)
    skipped_soundfonts: dict[str, str] = field(default_factory=dict)


def prepare_rendered(
    folder: Path, settings: RenderedSettings, part: tuple[int, int] | None = None
) -> Path:
    """Render the tracks that are not there yet; return the path of the summary.

    `part` (2, 3) renders every third track from the second on. Who finds all tracks there writes
    the summary; a share that is done before the others names it all the same.

    Raises:
        BadFile: no song or no soundfont to be used, a folder with other tracks in it.
        BadCall: no synthesizer is installed.
    """
    plan = plan_tracks(folder, settings)
    plays = synthesizer(settings.synthesizer)
    number, of = part or (1, 1)
    for track in plan.tracks[number - 1 :: of]:
        stamp = stamp_of(track, settings, plays.name)
        if _stamp_in(folder / track.part / track.name) == stamp:
            continue
        place, how = folder / track.part / track.name, settings.parts[track.part]
        song = read_song(track.song.path)
        take = plan_take(song, track.soundfont, track.take, how, settings)
        render_track(place, take, plays, settings, stamp)
    path = folder / SUMMARY
    stamps = [stamp_of(track, settings, plays.name) for track in plan.tracks]
    places = [folder / track.part / track.name for track in plan.tracks]
    if [_stamp_in(place) for place in places] == stamps:
        _save_summary(path, plan, settings, stamps)
    return path


def plan_tracks(folder: Path, settings: RenderedSettings) -> Plan:
    """The tracks that the settings make, in order.

    Raises:
        BadFile: as for `prepare_rendered`.
    """
    plan = Plan()
    songs = _songs(folder, settings, plan)
    soundfonts = _soundfonts(folder, settings, plan)
    for name, part in settings.parts.items():
        own = [song for song in songs if settings.split_of(song.fingerprint) == part.songs]
        if not own:
            raise BadFile(f"[data.parts.{name}]: no song of the split {part.songs!r}; add MIDI")
        fonts = _fonts_of(name, part, soundfonts, plan)
        takes = [(song, take) for take in range(part.takes) for song in own]
        for number, (song, take) in enumerate(takes, start=1):
            font = fonts[take % len(fonts)]
            plan.tracks.append(Planned(name, f"Track{number:05d}", song, font, take))
    planned = {(track.part, track.name) for track in plan.tracks}
    for name in settings.parts:
        for place in sorted((folder / name).glob("Track*")):
            if (name, place.name) not in planned:
                raise BadFile(f"{place}: not of these settings; remove it or take another folder")
    return plan


def stamp_of(track: Planned, settings: RenderedSettings, plays: str) -> dict[str, Any]:
    """What a track was made of, kept in its metadata."""
    decisive = settings.decisive()
    kept = ("rate_hz", "outsiders", "max_s", "stem_lufs", "peak_dbfs", "variation", "seed")
    made = {name: decisive[name] for name in kept} | {"version": VERSION}
    return {
        "song": track.song.name,
        "fingerprint": track.song.fingerprint,
        "split": settings.split_of(track.song.fingerprint),
        "soundfont": track.soundfont.name,
        "take": track.take,
        "varied": settings.parts[track.part].varied,
        "excerpt_s": settings.parts[track.part].excerpt_s,
        "synthesizer": plays,
        "settings": hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16],
    }


def _songs(folder: Path, settings: RenderedSettings, plan: Plan) -> list[Listed]:
    """The songs that can be used, each once, by name; the others are noted in the plan."""
    songs: dict[str, Listed] = {}
    for place in settings.midi or (folder / "midi",):
        for path in find_midi(place):
            try:
                song = read_song(path)
            except BadFile as error:
                plan.skipped_songs[str(path)] = str(error)
                continue
            if reason := _against(song, settings, songs):
                plan.skipped_songs[str(path)] = reason
            else:
                songs[song.fingerprint] = Listed(path, song.name, song.fingerprint)
    if not songs:
        raise BadFile(f"{folder}: none of {len(plan.skipped_songs)} MIDI files can be used")
    return sorted(songs.values(), key=lambda song: (song.name, song.fingerprint))


def _against(song: Song, settings: RenderedSettings, songs: Mapping[str, Listed]) -> str | None:
    """Why a song is not to be used, if there is a reason."""
    n_sources = len(set(sources_of(song, settings.outsiders).values()))
    if song.duration_s < settings.min_s:
        return f"{song.duration_s:.1f} s; {settings.min_s:g} s or more are wanted"
    if n_sources < settings.min_sources:
        return f"{n_sources} of the classes; {settings.min_sources} or more are wanted"
    if song.fingerprint in songs:
        return f"the same notes as {songs[song.fingerprint].path.name}"
    return None


def _soundfonts(folder: Path, settings: RenderedSettings, plan: Plan) -> dict[str, Soundfont]:
    wanted = settings.soundfont_names()
    folders = (folder / "soundfonts", *settings.soundfont_folders)
    found = find_soundfonts(folders)
    soundfonts = {}
    for name in wanted:
        if name not in found:
            there = ", ".join(found) or "none"
            places = ", ".join(map(str, folders))
            raise BadFile(f"soundfont {name!r}: not in {places}; there: {there}")
        try:
            soundfonts[name] = read_soundfont(found[name])
        except BadFile as error:
            plan.skipped_soundfonts[name] = str(error)
    return soundfonts


def _fonts_of(
    name: str, part: PartSettings, soundfonts: dict[str, Soundfont], plan: Plan
) -> list[Soundfont]:
    pools = [[one for one in names.split("+") if one in soundfonts] for names in part.soundfonts]
    fonts = [pooled([soundfonts[one] for one in pool]) for pool in pools if pool]
    if not fonts:
        reasons = "; ".join(plan.skipped_soundfonts[one] for one in part.soundfont_names())
        raise BadFile(f"[data.parts.{name}]: no soundfont that can be used: {reasons}")
    return fonts


def _stamp_in(track: Path) -> dict[str, Any] | None:
    """The stamp of a track that is there, or None."""
    import yaml

    try:
        found = yaml.safe_load((track / METADATA).read_text(encoding="utf-8"))["rendered"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) else None


def _save_summary(
    path: Path, plan: Plan, settings: RenderedSettings, stamps: Sequence[dict[str, Any]]
) -> None:
    """Write what there is: of each part, its tracks, songs and soundfonts; what was left out."""
    trained = {
        name
        for part in settings.parts.values()
        if part.songs == "train"
        for name in part.soundfont_names()
    }
    parts: dict[str, Any] = {}
    for name, part in settings.parts.items():
        own = [
            stamp for track, stamp in zip(plan.tracks, stamps, strict=True) if track.part == name
        ]
        parts[name] = {
            "split": part.songs,
            "tracks": len(own),
            "songs": sorted({stamp["song"] for stamp in own}),
            "soundfonts": sorted({stamp["soundfont"] for stamp in own}),
            "soundfonts_unseen": not trained & set(part.soundfont_names()),
        }
    summary = {
        "corpus": "rendered",
        "settings": settings.decisive(),
        "sha256": hashlib.sha256(json.dumps(stamps, sort_keys=True).encode()).hexdigest(),
        "synthesizer": stamps[0]["synthesizer"],
        "parts": parts,
        "skipped_songs": {Path(one).name: why for one, why in plan.skipped_songs.items()},
        "skipped_soundfonts": plan.skipped_soundfonts,
    }
    save_text(path, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
