"""What the command line was given, as a list of recordings: files, folders, lists, manifests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.text import one_word, read_text, recording_id

AUDIO_SUFFIXES = frozenset(
    [
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".m4a",
        ".aac",
        ".mp4",
        ".mkv",
        ".mov",
        ".webm",
        ".avi",
        ".wma",
        ".aif",
        ".aiff",
        ".au",
        ".caf",
    ]
)
LIST_SUFFIXES = frozenset({".txt", ".lst", ".scp"})
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """One recording to listen to; `path` None is standard input."""

    recording: str
    path: Path | None


def find_sources(inputs: Sequence[str]) -> list[Source]:
    """The recordings that `inputs` name, in their order, each once.

    An input is an audio file, a folder (its audio files, by name; not the folders in it), a list
    (`.txt`, `.lst`: a path a line, `.scp`: an id and a path), a manifest (`.jsonl`), or `-`.

    Raises:
        BadFile: a list that cannot be read, or a folder or list without recordings.
        BadCall: two different files that would get the same recording id.
    """
    sources: dict[str, Source] = {}
    for source in (found for name in inputs for found in _expand(name)):
        known = sources.setdefault(source.recording, source)
        if known.path != source.path:
            raise BadCall(
                f"{known.path} and {source.path} would both be called {source.recording!r}; "
                "rename one, or give them ids in a manifest"
            )
    return list(sources.values())


def _expand(name: str) -> list[Source]:
    if name == STDIN:
        return [Source("stdin", None)]
    path = Path(name)
    if path.is_dir():
        found = [
            Source(recording_id(file), file)
            for file in sorted(path.iterdir())
            if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()
        ]
    elif path.suffix.lower() == ".jsonl":
        found = [Source(one_word(row.recording), row.audio) for row in read_manifest(path)]
    elif path.suffix.lower() in LIST_SUFFIXES:
        found = [_listed(path, line) for line in read_text(path).splitlines() if line.strip()]
    else:
        return [Source(recording_id(path), path)]
    if not found:
        raise BadFile(f"{path}: no recordings in it; expected files such as .wav, .flac or .mp3")
    return found


def _listed(table: Path, line: str) -> Source:
    """One line of a list; paths are relative to the list."""
    if table.suffix.lower() == ".scp":
        recording, _, name = line.strip().partition(" ")
        if not name.strip():
            raise BadFile(f"{table}: {line.strip()!r} has no path; a line is an id and a path")
        return Source(one_word(recording), table.parent / name.strip())
    return Source(recording_id(line.strip()), table.parent / line.strip())
