"""Text files read strictly and written whole, and names that stay one word in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import BadFile
from diarize.formats.whole import whole

SHORTEST_S = 1e-6  # what pyannote.core takes for empty
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NAME_LIMIT = 60  # characters of somebody's file that a message repeats


@dataclass(frozen=True)
class Row:
    """One line of fields, and where it stands, for the messages."""

    path: Path
    number: int
    fields: tuple[str, ...]

    def error(self, found: str, right: str) -> BadFile:
        """The error to raise about this line."""
        return BadFile(f"{self.path}, line {self.number}: found {found}; {right}")

    def seconds(self, index: int, name: str) -> float:
        """Field `index` as a time in seconds, finite and not negative.

        Raises:
            BadFile: it is anything else.
        """
        text = self.fields[index]
        right = f"the {name} is a number of seconds, 0 or more"
        if not _NUMBER.fullmatch(text):
            raise self.error(f"the {name} {shown(text)}", right)
        value = float(text)
        if value < 0 or value == float("inf"):
            raise self.error(f"the {name} {shown(text)}", right)
        return value


def read_text(path: Path | str) -> str:
    """Return what the UTF-8 file at `path` says, without its byte-order mark.

    Raises:
        BadFile: there is no such file, or it is not UTF-8 text.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadFile(
            f"{path}, line {line}: found the byte 0x{byte:02x}; the file must be UTF-8 text"
        ) from None
    except OSError as error:
        raise BadFile(
            f"{path}: cannot be read ({error.strerror}); give a text file that is there"
        ) from None


def read_rows(path: Path | str) -> Iterator[Row]:
    """Return the lines of a file as fields parted by ASCII blanks.

    Empty lines and the comments of NIST formats, which begin with `;;`, are left out.

    Raises:
        BadFile: the file cannot be read as text.
    """
    path = Path(path)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        # bytes split at ASCII blanks only: a name may hold a non-breaking space
        fields = tuple(field.decode() for field in line.encode().split())
        if fields and not fields[0].startswith(";;"):
            yield Row(path, number, fields)


def save_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all.

    Raises:
        BadFile: the folder or the disk does not allow it; nothing is left behind.
    """
    with whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def one_word(name: str) -> str:
    """Return `name` fit for one field of a line: blanks and control characters become `_`.

    Letters of every script stay; an empty name becomes `_`.

    >>> one_word("Zoë, line\\n2")
    'Zoë,_line_2'
    """
    word = "".join(
        "_" if character.isspace() or unicodedata.category(character) in ("Cc", "Cs") else character
        for character in name
    )
    return "_" + word[1:] if word.startswith(";") or not word else word


def recording_id(path_or_name: Path | str) -> str:
    """Return the id that a recording has in RTTM and UEM files: its file's stem as one word.

    >>> recording_id("calls/my meeting.wav")
    'my_meeting'
    """
    return one_word(Path(path_or_name).stem)


def shown(text: str) -> str:
    """Return `text` quoted for a one-line message, cut when long."""
    return repr(text if len(text) <= _NAME_LIMIT else text[: _NAME_LIMIT - 3] + "...")
