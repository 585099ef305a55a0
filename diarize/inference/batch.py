"""Many recordings, one after another: finished ones are skipped, a failed one stops nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from pyannote.core import Timeline

from diarize.errors import BadCall, BadFile, DiarizeError, fault
from diarize.formats.text import save_text
from diarize.inference.diarize import Diarization, Diarizer, Progress
from diarize.inference.sources import STDIN, Source

WRITERS: dict[str, Callable[[Diarization], str]] = {
    "rttm": Diarization.to_rttm,
    "json": Diarization.to_json,
    "csv": Diarization.to_csv,
}
BEYOND_S = 0.5  # that a region may go on after the end before it is worth a word
Listen = Callable[[Source], Diarization]


@dataclass(frozen=True)
class Outcome:
    """What became of one recording: skipped, failed with an error, or done."""

    source: Source
    result: Diarization | None = None
    error: DiarizeError | None = None


def parse_formats(names: str) -> tuple[str, ...]:
    """The formats in a comma list, each once.

    >>> parse_formats("rttm,json")
    ('rttm', 'json')

    Raises:
        BadCall: there is no such format.
    """
    formats = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in formats:
        if name not in WRITERS:
            raise BadCall(f"no format {name!r}; there are {', '.join(WRITERS)}")
    return formats


@dataclass(frozen=True)
class Listener:
    """What is done with one source: heard by the diarizer, kept to its regions if there are any."""

    diarizer: Diarizer
    progress: Progress | None = None
    regions: Mapping[str, Timeline] | None = None  # by recording
    uem: Path | None = None  # where they are from, for the messages
    stdin: Any = None  # a text stream over bytes, as sys.stdin

    def __call__(self, source: Source) -> Diarization:
        """Who spoke when in `source`.

        Raises:
            BadFile: its audio cannot be used, or the regions do not cover it.
            BadCall: it is standard input, and nothing can come from there.
        """
        regions = self._regions(source.recording)
        audio = self._stdin() if source.path is None else source.path
        result = self.diarizer(audio, progress=self.progress, recording=source.recording)
        return result if regions is None else self._within(result, regions)

    def _regions(self, recording: str) -> Timeline | None:
        if self.regions is None:
            return None
        if recording not in self.regions:
            known = ", ".join(sorted(self.regions)[:3]) or "nothing"
            raise BadFile(f"{self.uem}: no region for recording {recording!r}; it has {known}")
        return self.regions[recording]

    def _within(self, result: Diarization, regions: Timeline) -> Diarization:
        asked = regions.extent()
        if asked.start >= result.duration_s:
            raise BadFile(
                f"{self.uem}: the regions of {result.recording!r} begin at {asked.start:.1f} s, "
                f"but it ends at {result.duration_s:.1f} s; they must be of this recording"
            )
        kept = result.within(regions)
        if asked.end <= result.duration_s + BEYOND_S:
            return kept
        note = f"{self.uem} goes on to {asked.end:.1f} s, it ends at {result.duration_s:.1f} s"
        return replace(kept, notes=(*kept.notes, note))

    def _stdin(self) -> BufferedIOBase:
        if self.stdin is None:
            raise BadCall("-: standard input is closed; pipe a recording into it")
        if self.stdin.isatty():
            raise BadCall("-: standard input is a terminal; pipe a recording into it")
        buffer: BufferedIOBase = self.stdin.buffer
        return buffer


def listen_to_all(
    sources: Sequence[Source], listen: Listen, folder: Path, formats: Sequence[str], fresh: bool
) -> Iterator[Outcome]:
    """Listen to each source and write its files into `folder`; say what became of it.

    A recording whose files are all there is skipped unless `fresh`. Files appear whole or not at
    all, so an interrupted call goes on where it was. No error of one recording stops the others,
    not even one that nobody thought of.
    """
    for source in sources:
        targets = {name: folder / f"{source.stem}.{name}" for name in formats}
        if not fresh and all(target.exists() for target in targets.values()):
            yield Outcome(source)
            continue
        try:
            result = listen(source)
            for name, target in targets.items():
                save_text(target, WRITERS[name](result))
        except DiarizeError as error:
            yield Outcome(source, error=error)
        except Exception as error:
            failed = BadFile(f"{source.path or STDIN}: {fault(error)}")
            failed.__cause__ = error
            yield Outcome(source, error=failed)
        else:
            yield Outcome(source, result=result)


def check_folder(folder: Path) -> None:
    """Make `folder` and see that files can be written there, before anything is computed.

    Raises:
        BadFile: it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadFile(
            f"{folder}: cannot write there ({error.strerror}); choose another -o"
        ) from None
