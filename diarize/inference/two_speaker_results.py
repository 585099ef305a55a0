"""Recordings of two known speakers, heard one after another into files, and scored together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diarize.corpora.two_channel import read_part
from diarize.corpora.two_speakers import folder_of
from diarize.errors import BadFile
from diarize.formats.exports import Export, json_text
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import rttm_text
from diarize.formats.text import read_text, save_text
from diarize.formats.uem import read_uem
from diarize.inference.two_speakers import (
    PROTOCOLS,
    KnownSpeakers,
    TwoSpeakerInferSettings,
)
from diarize.scoring.pairing import pair_up, read_turns
from diarize.scoring.two_protocols import Row, score_row

ABOUT = "about.json"
Notify = Callable[[str, float], None]


def hear_all(
    listener: KnownSpeakers,
    data: Path,
    folder: Path,
    name: str,
    checksum: str,
    notify: Notify = lambda recording, share: None,
) -> Path:
    """Hear the recordings of `data` under both protocols; the path of `about.json`, written last.

    Those in `folder` that the same weights were heard with before, by the same settings, are kept.

    Raises:
        BadFile: no such recordings, or files that cannot be written.
    """
    settings = listener.settings
    share = listener.data.labelled_share
    labels = "all labels" if share == 1 else f"{100 * share:g} % of labels"
    told = {"authors": f"both speakers ({labels}), silence", "clean": f"both speakers ({labels})"}
    about = _about(name, told, settings, settings.part, checksum)
    _begin(folder, about)
    place = folder_of(data, settings.part)
    recordings = read_part(place, listener.data.speakers)
    for number, recording in enumerate(recordings):
        notify(recording.recording, number / len(recordings))
        for protocol in PROTOCOLS:
            path = folder / protocol / f"{recording.recording}.json"
            if path.exists():
                continue
            heard = listener.hear(recording, protocol)
            save_text(path.with_suffix(".rttm"), rttm_text(heard.annotation, recording.recording))
            export = Export(
                annotation=heard.annotation,
                recording=recording.recording,
                duration_s=heard.duration_s,
                probability=heard.probability,
                activity=heard.activity,
                made_with={"weights": checksum, "protocol": protocol},
            )
            save_text(path, json_text(export))
    return _finish(folder, about)


def cluster_all(
    data: Path,
    folder: Path,
    settings: TwoSpeakerInferSettings,
    name: str,
    notify: Notify = lambda recording, share: None,
) -> Path:
    """The same by the diarizer that clusters voices and knows but that there are two.

    Raises:
        BadFile: no such recordings, or files that cannot be written.
    """
    from diarize.inference.diarize import Diarizer, DiarizerSettings

    told = {"authors": "two speakers, silence", "clean": "two speakers"}
    about = _about(name, told, settings, settings.part, "clustering")
    _begin(folder, about)
    entries = read_manifest(folder_of(data, settings.part) / "manifest.jsonl")
    diarizer = Diarizer(DiarizerSettings(attributor="cluster"))
    for number, entry in enumerate(entries):
        notify(entry.recording, number / len(entries))
        paths = [folder / protocol / f"{entry.recording}.json" for protocol in PROTOCOLS]
        if all(path.exists() for path in paths):
            continue
        # two channels become their mean, which is the mixture but for its level
        result = diarizer(entry.audio, num_speakers=2, recording=entry.recording)
        for path in paths:
            save_text(path.with_suffix(".rttm"), result.to_rttm())
            save_text(path, result.to_json())
    return _finish(folder, about)


def score_results(
    data: Path, results: Sequence[tuple[str | None, Path]], seed: int = 0
) -> list[Row]:
    """The rows of all results under both protocols; a name of None is the result's own.

    Raises:
        BadFile: a result that is not finished, or not of these recordings.
    """
    rows = []
    for name, folder in results:
        about = _read_about(folder)
        place = folder_of(data, about["part"])
        reference, uem = read_turns(place / "ref.rttm"), read_uem(place / "all.uem")
        for protocol in PROTOCOLS:
            found = read_turns(folder / protocol, posteriors=True)
            pairs = pair_up(reference, found, uem, place / "all.uem").pairs
            system = name or about["name"]
            rows.append(score_row(system, protocol, about["told"][protocol], pairs, seed))
    return rows


def _about(
    name: str,
    told: Mapping[str, str],
    settings: TwoSpeakerInferSettings,
    part: str,
    checksum: str,
) -> dict[str, Any]:
    made = {"name": name, "told": told, "part": part, "weights": checksum}
    plain: dict[str, Any] = json.loads(json.dumps({**made, "settings": asdict(settings)}))
    return plain


def _begin(folder: Path, about: Mapping[str, Any]) -> None:
    """Make room for results: those of another system, or of other settings, are taken away."""
    path = folder / "begun.json"
    if path.exists() and json.loads(read_text(path)) == about:
        return
    (folder / ABOUT).unlink(missing_ok=True)
    for protocol in PROTOCOLS:
        for old in (folder / protocol).glob("*.*"):
            old.unlink()
    save_text(path, json.dumps(about, indent=2) + "\n")


def _finish(folder: Path, about: Mapping[str, Any]) -> Path:
    save_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")
    return folder / ABOUT


def _read_about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    if not path.exists():
        raise BadFile(f"{path}: no such file; run diarize speakers infer -o {folder} to its end")
    try:
        about: dict[str, Any] = json.loads(read_text(path))
        if {"name", "told", "part"} <= about.keys():
            return about
    except (ValueError, AttributeError):
        pass
    raise BadFile(f"{path}: does not tell of results of two speakers; infer again")
