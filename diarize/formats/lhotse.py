"""lhotse's manifests: recordings, supervisions and cuts, a JSON object a line, plain or gzipped.

Only what diarization needs is read, and only what lhotse needs is written; times are seconds, kept
to the microsecond. lhotse itself is not needed.

Source: the lhotse documentation, "Recording manifest", "Supervision manifest", "Cuts".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diarize.errors import BadFile
from diarize.formats.json_lines import Line, read_lines, save_lines
from diarize.formats.text import shown

HARMLESS = ("Resample",)  # transforms that leave time and loudness as they are
CUTS = ("MonoCut", "MultiCut", "Cut")


@dataclass(frozen=True)
class LhotseSource:
    """One file of a recording, or what is none, and the channels that are in it."""

    kind: str  # file, command, url, memory
    channels: tuple[int, ...]
    source: str


@dataclass(frozen=True)
class LhotseRecording:
    """A recording: its files, and how long it is. `transforms` are to be done on loading it."""

    recording: str
    sources: tuple[LhotseSource, ...]
    rate_hz: int
    n_samples: int
    transforms: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self.n_samples / self.rate_hz

    @property
    def channels(self) -> tuple[int, ...]:
        """All channels, sorted."""
        return tuple(sorted(channel for source in self.sources for channel in source.channels))


@dataclass(frozen=True)
class LhotseSupervision:
    """One turn. In a cut, `start_s` counts from where the cut begins."""

    name: str
    recording: str
    start_s: float
    duration_s: float
    channels: tuple[int, ...] = (0,)
    speaker: str | None = None


@dataclass(frozen=True)
class LhotseCut:
    """A piece of a recording, with the turns that are in it at least in part."""

    name: str
    start_s: float
    duration_s: float
    channels: tuple[int, ...]
    recording: LhotseRecording
    supervisions: tuple[LhotseSupervision, ...]


def read_recordings(path: Path) -> Iterator[LhotseRecording]:
    """The recordings of a manifest, in its order, one at a time.

    Raises:
        BadFile: it cannot be read, or a line is none of a recording; it names the line.
    """
    return (_recording(line) for line in read_lines(path))


def read_supervisions(path: Path) -> Iterator[LhotseSupervision]:
    """The supervisions of a manifest, in its order, one at a time.

    Raises:
        BadFile: it cannot be read, or a line is none of a supervision; it names the line.
    """
    return (_supervision(line) for line in read_lines(path))


def read_cuts(path: Path) -> Iterator[LhotseCut]:
    """The cuts of a manifest, in its order, one at a time.

    Raises:
        BadFile: it cannot be read, a line is no cut, one is mixed or padded, or holds no recording;
            it names the line.
    """
    for line in read_lines(path):
        kind, name = line.values.get("type"), line.word("id")
        if kind not in CUTS:
            raise BadFile(
                f"{line.where}: {shown(name)} is a {kind or 'thing that is no cut'}; expected "
                f"{CUTS[0]} or {CUTS[1]} (of others, save the audio with lhotse first)"
            )
        if "recording" not in line.values:
            raise BadFile(f"{line.where}: the cut {shown(name)} holds no recording; expected one")
        yield LhotseCut(
            name,
            line.number("start", 0),
            line.number("duration", 0),
            line.channels("channel"),
            _recording(Line(f"{line.where}, recording", line.values["recording"])),
            tuple(_supervision(one) for one in line.objects("supervisions")),
        )


def save_recordings(path: Path, recordings: Iterable[LhotseRecording]) -> None:
    """Write a manifest of recordings, gzipped if it is called so, whole or not at all."""
    save_lines(path, (_recording_object(one) for one in recordings))


def save_supervisions(path: Path, supervisions: Iterable[LhotseSupervision]) -> None:
    """Write a manifest of supervisions, gzipped if it is called so, whole or not at all."""
    save_lines(path, (_supervision_object(one) for one in supervisions))


def save_cuts(path: Path, cuts: Iterable[LhotseCut]) -> None:
    """Write a manifest of cuts, gzipped if it is called so, whole or not at all."""
    save_lines(path, (_cut_object(one) for one in cuts))


def _recording(line: Line) -> LhotseRecording:
    return LhotseRecording(
        line.word("id"),
        tuple(
            LhotseSource(one.word("type"), one.channels("channels"), str(one.values.get("source")))
            for one in line.objects("sources")
        ),
        line.count("sampling_rate"),
        line.count("num_samples"),
        tuple(
            name
            for one in line.objects("transforms")
            if (name := str(one.values.get("name"))) not in HARMLESS
        ),
    )


def _supervision(line: Line) -> LhotseSupervision:
    return LhotseSupervision(
        line.word("id"),
        line.word("recording_id"),
        line.number("start"),
        line.number("duration", 0),
        line.channels("channel"),
        line.word("speaker") if line.values.get("speaker") is not None else None,
    )


def _recording_object(one: LhotseRecording) -> dict[str, Any]:
    return {
        "id": one.recording,
        "sources": [
            {"type": source.kind, "channels": list(source.channels), "source": source.source}
            for source in one.sources
        ],
        "sampling_rate": one.rate_hz,
        "num_samples": one.n_samples,
        "duration": one.duration_s,
        "channel_ids": list(one.channels),
    }


def _supervision_object(one: LhotseSupervision) -> dict[str, Any]:
    told = {
        "id": one.name,
        "recording_id": one.recording,
        "start": round(one.start_s, 6),
        "duration": round(one.duration_s, 6),
        "channel": _channel(one.channels),
    }
    return told if one.speaker is None else {**told, "speaker": one.speaker}


def _cut_object(one: LhotseCut) -> dict[str, Any]:
    return {
        "id": one.name,
        "start": round(one.start_s, 6),
        "duration": round(one.duration_s, 6),
        "channel": _channel(one.channels),
        "supervisions": [_supervision_object(turn) for turn in one.supervisions],
        "recording": _recording_object(one.recording),
        "type": "MonoCut" if len(one.channels) == 1 else "MultiCut",
    }


def _channel(channels: tuple[int, ...]) -> int | list[int]:
    return channels[0] if len(channels) == 1 else list(channels)
