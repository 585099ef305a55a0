"""What the command line was given, as a list of recordings: files, folders, lists, manifests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import read_manifest
from diarize.formats.text import one_word, read_text, recording_id, shown

AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"),
        *(".m4a", ".aac", ".wma", ".mp4", ".mkv", ".mov", ".webm", ".avi"),
    }
)
LIST_SUFFIXES = frozenset({".txt", ".lst", ".scp"})
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """One recording to listen to; `path` None is standard input."""

    recording: str
    path: Path | None

    @property
    def stem(self) -> str:
        """What its files are called: the id, kept from leading into another folder.

        >>> Source("../my/call", None).stem
        '.._my_call'
        """
        return self.recording.replace("/", "_").replace("\\", "_")


def find_sources(inputs: Sequence[str]) -> list[Source]:
    """The recordings that `inputs` name, in their order, each once.

    An input is an audio file, a folder (its audio files, by name; not the folders in it, nor
    hidden files), a list (`.txt`, `.lst`: a path a line, `.scp`: an id and a path), a manifest
    (`.jsonl`), or `-`. Paths in a list or manifest start at its folder.

    Raises:
        BadFile: a list that cannot be read, or a folder or list without recordings.
        BadCall: two different files whose results would have the same name.
    """
    sources: dict[str, Source] = {}
    for source in (found for name in inputs for found in _expand(name)):
        known = sources.setdefault(source.stem, source)
        if not _is_same(known, source):
            raise BadCall(
                f"{known.path or STDIN} and {source.path or STDIN} would both be called "
                f"{source.stem!r}; rename one, or give them ids in a manifest"
            )
    return list(sources.values())


def _is_same(one: Source, other: Source) -> bool:
    if one.recording != other.recording or one.path is None or other.path is None:
        return one == other
    return one.path == other.path or one.path.resolve() == other.path.resolve()


def _expand(name: str) -> list[Source]:
    if name == STDIN:
        return [Source("stdin", None)]
    if not name:
        raise BadCall("an input without a name; give a file, a folder, a list or -")
    path = Path(name)
    suffix = path.suffix.lower()
    if _is_folder(path):
        found = [Source(recording_id(file), file) for file in _audio_files(path)]
    elif suffix == ".jsonl":
        found = [Source(one_word(row.recording), row.audio) for row in read_manifest(path)]
    elif suffix in LIST_SUFFIXES:
        lines = (line.strip() for line in read_text(path).split("\n"))
        found = [_listed(path, line) for line in lines if line]
    else:
        return [Source(recording_id(path), path)]
    if not found:
        raise BadFile(f"{path}: no recordings in it; expected files such as .wav, .flac or .mp3")
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # such as a name that is too long: reading it will tell
        return False


def _audio_files(folder: Path) -> list[Path]:
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise BadFile(
            f"{folder}: cannot be listed ({error.strerror}); expected a folder of recordings"
        ) from None
    return [
        file
        for file in names
        if file.suffix.lower() in AUDIO_SUFFIXES and file.name[0] != "." and file.is_file()
    ]


def _listed(table: Path, line: str) -> Source:
    """One line of a list; paths are relative to the list."""
    if table.suffix.lower() != ".scp":
        return Source(recording_id(line), table.parent / line)
    recording, *rest = line.split(maxsplit=1)
    if not rest:
        raise BadFile(f"{table}: {shown(line)} has no path; a line is an id and a path")
    if rest[0].endswith("|"):
        raise BadFile(f"{table}: {shown(rest[0])} is a command; a line is an id and a path")
    return Source(one_word(recording), table.parent / rest[0])
