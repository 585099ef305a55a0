"""Recordings of single speakers, listed in a table, and the split of anything by its name."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import BadCall, BadFile

SPLITS = {"train": 0.6, "dev": 0.2, "test": 0.2}
AUDIO_ENDINGS = {".wav", ".flac", ".ogg", ".mp3", ".m4a"}


@dataclass(frozen=True)
class Utterance:
    """One file of one person speaking; `collection` is the set it came with."""

    path: Path
    speaker: str
    collection: str
    duration_s: float


def read_speech_table(folder: Path | str) -> list[Utterance]:
    """The utterances of `folder/speakers.tsv`, in its order.

    The table has a header with the columns path (under the folder), speaker, set, seconds.

    Raises:
        BadFile: no table, a column missing, or a line with an empty name or a bad number.
    """
    table = Path(folder) / "speakers.tsv"
    try:
        with table.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except FileNotFoundError as error:
        raise BadFile(f"{table}: no such file; expected a table of utterances") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{table}: cannot be read; expected a table in UTF-8") from error
    columns = ("path", "speaker", "set", "seconds")
    utterances = []
    for number, row in enumerate(rows, start=2):
        if missing := [name for name in columns if not row.get(name)]:
            raise BadFile(f"{table}:{number}: no {missing[0]}; expected {', '.join(columns)}")
        try:
            duration_s = float(row["seconds"])
        except ValueError:
            duration_s = math.nan
        if not duration_s > 0 or math.isinf(duration_s):
            raise BadFile(f"{table}:{number}: {row['seconds']!r} seconds; expected over 0")
        path = Path(folder) / row["path"]
        utterances.append(Utterance(path, row["speaker"], row["set"], duration_s))
    if not utterances:
        raise BadFile(f"{table}: no lines; expected one an utterance under a header")
    return utterances


def split_of(name: str, seed: int = 0) -> str:
    """The split ("train", "dev" or "test") a speaker or file belongs to, by its name alone.

    Stable: it depends on no other name, so that a table may grow without moving anyone.

    >>> split_of("ann"), split_of("ann", seed=3)
    ('train', 'dev')
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    for split, size in SPLITS.items():
        if share < size:
            return split
        share -= size
    return "test"


def in_split(names: Iterable[str], split: str, seed: int = 0) -> list[str]:
    """The names of that split, sorted; "all" is every name.

    Raises:
        BadCall: a split that is none.
    """
    if split not in (*SPLITS, "all"):
        raise BadCall(f"split {split!r}: expected {', '.join(SPLITS)} or all")
    return sorted(name for name in set(names) if split in ("all", split_of(name, seed)))


def audio_files(folder: Path | str) -> list[Path]:
    """Every sound file under `folder`, sorted.

    Raises:
        BadFile: no such folder, or no sound in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadFile(f"{folder}: no such folder; expected one with sound files")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_ENDINGS)
    if not found:
        raise BadFile(f"{folder}: no sound files; expected {', '.join(sorted(AUDIO_ENDINGS))}")
    return found
