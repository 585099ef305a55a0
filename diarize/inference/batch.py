"""Many recordings, one after another: finished ones are skipped, a failed one stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyannote.core import Timeline

from diarize.errors import BadCall, BadFile, DiarizeError
from diarize.formats.text import save_text
from diarize.inference.diarize import Diarization
from diarize.inference.sources import Source

WRITERS: dict[str, Callable[[Diarization], str]] = {
    "rttm": Diarization.to_rttm,
    "json": Diarization.to_json,
    "csv": Diarization.to_csv,
}
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


def within(result: Diarization, regions: Mapping[str, Timeline] | None, uem: str) -> Diarization:
    """The result inside the scored regions of its recording, whole where there are none at all.

    Raises:
        BadFile: the UEM file does not know the recording.
    """
    if regions is None:
        return result
    if result.recording not in regions:
        known = ", ".join(sorted(regions)[:3]) or "nothing"
        raise BadFile(f"{uem}: no region for recording {result.recording!r}; it has {known}")
    return result.within(regions[result.recording])


def listen_to_all(
    sources: Sequence[Source], listen: Listen, folder: Path, formats: Sequence[str], fresh: bool
) -> Iterator[Outcome]:
    """Listen to each source and write its files into `folder`; say what became of it.

    A recording whose files are all there is skipped unless `fresh`. Files appear whole or not at
    all, so an interrupted call goes on where it was.
    """
    for source in sources:
        targets = {name: folder / f"{source.recording}.{name}" for name in formats}
        if not fresh and all(target.exists() for target in targets.values()):
            yield Outcome(source)
            continue
        try:
            result = listen(source)
            for name, target in targets.items():
                save_text(target, WRITERS[name](result))
        except DiarizeError as error:
            yield Outcome(source, error=error)
        else:
            yield Outcome(source, result=result)


def check_folder(folder: Path) -> None:
    """Make `folder` and see that files can be written there, before anything is computed.

    Raises:
        BadFile: it cannot be made, or not be written to.
    """
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadFile(
            f"{folder}: cannot write there ({error.strerror}); choose another -o"
        ) from None
