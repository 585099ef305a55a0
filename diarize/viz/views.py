"""Views: all that a report shows of one recording, gathered from the files a recipe leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyannote.core import Annotation

from diarize.errors import BadFile
from diarize.formats.exports import Export, read_json
from diarize.formats.manifest import Recording, read_manifest
from diarize.formats.rttm import read_rttm
from diarize.formats.text import one_word
from diarize.models.contract import Activity


@dataclass(frozen=True)
class View:
    """One recording: who was found to talk, who truly did, and where its sound is, if known.

    `stem` is the name of its result file, fit for a file of its own.
    """

    recording: str
    stem: str
    annotation: Annotation
    duration_s: float | None = None
    activity: Activity | None = None
    reference: Annotation | None = None
    audio: Path | None = None

    @property
    def end_s(self) -> float:
        """Where the recording ends, as far as is known."""
        annotations = [one for one in (self.annotation, self.reference) if one]
        ends = [one.get_timeline().extent().end for one in annotations]
        return self.duration_s or max(ends, default=0.0) or 1.0


def read_views(
    results: Path, manifest: Path | None = None, reference: Path | None = None
) -> list[View]:
    """Return a view of each result in the folder, in the manifest's order, the rest by name.

    A result is a JSON file or an RTTM file; of one recording's two, the JSON is taken, which also
    holds the posterior. The manifest tells where the sound is, the reference the truth.

    Raises:
        BadFile: no results there, or a file among them that cannot be used.
    """
    found = _read_results(results)
    if not found:
        raise BadFile(
            f"{results}: no .json or .rttm result in it; run `diarize infer` into it first"
        )
    known = {one_word(one.recording): one for one in read_manifest(manifest)} if manifest else {}
    truth = read_rttm(reference) if reference else None
    order = {name: place for place, name in enumerate(known)}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return [
        _view(
            found[name], known.get(name), None if truth is None else truth.get(name, Annotation())
        )
        for name in names
    ]


@dataclass(frozen=True)
class _Result:
    stem: str
    export: Export | None
    recording: str
    annotation: Annotation


def _read_results(folder: Path) -> dict[str, _Result]:
    if not folder.is_dir():
        raise BadFile(f"{folder}: no such folder; give the one that `diarize infer -o` wrote")
    found: dict[str, _Result] = {}
    for path in sorted(folder.glob("*.json")):
        export = read_json(path)
        name = one_word(export.recording)
        found[name] = _Result(path.stem, export, export.recording, export.annotation)
    for path in sorted(folder.glob("*.rttm")):
        # silence leaves an RTTM without turns, and so without a name but the file's
        turns = read_rttm(path) or {one_word(path.stem): Annotation()}
        for name, annotation in turns.items():
            stem = path.stem if len(turns) == 1 else name.replace("/", "_")
            found.setdefault(name, _Result(stem, None, name, annotation))
    return found


def _view(result: _Result, known: Recording | None, reference: Annotation | None) -> View:
    duration_s = known.duration_s if known else None
    activity = None
    if result.export is not None:
        duration_s = result.export.duration_s
        activity = result.export.activity
    audio = known.audio if known else None
    return View(
        result.recording, result.stem, result.annotation, duration_s, activity, reference, audio
    )
