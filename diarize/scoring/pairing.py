"""References and hypotheses as they lie on disk, paired by recording id and never by order.

A reference is one RTTM file or a folder of them; a hypothesis likewise, or JSON as
`diarize infer --format json` writes it, which also holds the posterior. In a folder JSON is read
in place of an RTTM file of the same name, and where there is no RTTM at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pyannote.core import Annotation, Timeline

from diarize.errors import BadFile
from diarize.formats.activity import Activity
from diarize.formats.exports import read_json
from diarize.formats.rttm import read_rttm, recording_id
from diarize.formats.text import SHORTEST_S, shown
from diarize.scoring.turns import Turns, regions_of, turns_of

_NAMED = 10  # recordings that a note names


@dataclass(frozen=True)
class Side:
    """What was found at a path: turns by recording, and the hash of the files they stood in."""

    path: Path
    annotations: Mapping[str, Annotation]
    posteriors: Mapping[str, Activity] = field(default_factory=dict)
    sha256: str = ""


@dataclass(frozen=True)
class Pair:
    """One recording's two sides, and where it is scored (`uem`; None: the extent of both)."""

    recording: str
    reference: Annotation
    hypothesis: Annotation
    uem: Timeline | None = None
    posterior: Activity | None = None

    @cached_property
    def turns(self) -> tuple[Turns, Turns]:
        """The turns of reference and hypothesis as arrays, made once."""
        return turns_of(self.reference), turns_of(self.hypothesis)


@dataclass(frozen=True)
class Pairing:
    """What is to be scored, sorted by recording, and what the user must be told about it."""

    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()


def read_turns(path: Path | str, posteriors: bool = False) -> Side:
    """Return the turns of every recording in an RTTM file or a folder of RTTM files.

    With `posteriors`, the file or the folder may also be JSON; in a folder, JSON is read in place
    of an RTTM file of the same name. An RTTM file in a folder that has no turns stands for silence
    in the recording of its name.

    Raises:
        BadFile: nothing is there, a file is bad, or two files tell of one recording.
    """
    path = Path(path)
    annotations: dict[str, Annotation] = {}
    found: dict[str, Activity] = {}
    origin: dict[str, Path] = {}
    digest = hashlib.sha256()
    for file in _files(path, posteriors):
        if file.suffix == ".json" and posteriors:
            export = read_json(file)
            turns = {export.recording: export.annotation}
            if export.activity is not None:
                found[export.recording] = export.activity
        else:
            turns = read_rttm(file)
            if not turns and path.is_dir():
                turns = {recording_id(file): Annotation(uri=recording_id(file))}
        for recording in turns:
            if recording in origin:
                raise BadFile(
                    f"{file}: found the recording {shown(recording)}, which is also in "
                    f"{origin[recording].name}; each recording stands in one file"
                )
            origin[recording] = file
        annotations.update(turns)
        digest.update(file.read_bytes())
    return Side(path, annotations, found, digest.hexdigest())


def pair_up(
    reference: Side,
    hypothesis: Side,
    uem: Mapping[str, Timeline] | None,
    uem_name: Path | str = "the UEM",
) -> Pairing:
    """Return the recordings to score, each with both sides.

    Every recording of the reference is scored; one that the hypothesis lacks counts as wholly
    missed. One that only the hypothesis has is scored if the UEM lists it, for then its
    reference is silence, and is left out otherwise. Each of these is noted.

    Raises:
        BadFile: a recording of the reference has no region in the UEM, or the two sides have no
            recording in common.
    """
    only_found = sorted(set(hypothesis.annotations) - set(reference.annotations))
    silent = [name for name in only_found if uem is not None and name in uem]
    scored = sorted([*reference.annotations, *silent])
    absent = [name for name in scored if name not in hypothesis.annotations]
    left_out = [name for name in only_found if name not in silent]
    if not scored or (hypothesis.annotations and len(absent) == len(scored)):
        raise BadFile(
            f"{hypothesis.path}: found no recording that {reference.path} has "
            f"({_named(sorted(hypothesis.annotations))} against "
            f"{_named(sorted(reference.annotations))}); recordings are paired by their ids"
        )
    for name in scored:
        if uem is not None and name not in uem:
            raise BadFile(
                f"{uem_name}: found no region for the recording {shown(name)}; "
                "give it one, or take the recording out of the reference"
            )
    notes = []
    if absent:
        notes.append(f"not in the hypothesis, counted as wholly missed: {_named(absent)}")
    if silent:
        notes.append(f"no turns in the reference, scored as silence: {_named(silent)}")
    if left_out:
        notes.append(f"not in the reference, NOT SCORED: {_named(left_out)}")
    pairs = tuple(
        Pair(
            name,
            reference.annotations.get(name, Annotation(uri=name)),
            hypothesis.annotations.get(name, Annotation(uri=name)),
            uem[name] if uem is not None else None,
            hypothesis.posteriors.get(name),
        )
        for name in scored
    )
    return Pairing(pairs, (*notes, *_turn_notes(pairs)))


def _turn_notes(pairs: Sequence[Pair]) -> list[str]:
    notes = []
    for place, side in enumerate(("reference", "hypothesis")):
        overlapping, outside = [], []
        for pair in pairs:
            turns = pair.turns[place]
            n_outside = _outside(turns, regions_of(pair.uem)) if pair.uem is not None else 0
            overlapping += [f"{pair.recording} ({turns.n_merged})"] if turns.n_merged else []
            outside += [f"{pair.recording} ({n_outside})"] if n_outside else []
        if overlapping:
            notes.append(
                f"{side} turns that overlap another of the same speaker, merged so that none "
                f"counts twice: {_named(overlapping)}"
            )
        if outside:
            notes.append(
                f"{side} turns that reach outside the UEM, where nothing is scored: "
                f"{_named(outside)}"
            )
    return notes


def _outside(turns: Turns, regions_s: Float[np.ndarray, "region 2"]) -> int:
    """How many turns do not lie within one region."""
    place = np.searchsorted(regions_s[:, 0], turns.start_s + SHORTEST_S, side="right") - 1
    ends_s = regions_s[np.maximum(place, 0), 1]
    return int(((place < 0) | (turns.end_s > ends_s + SHORTEST_S)).sum())


def _files(path: Path, json_too: bool) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.rttm"))
    if json_too:  # JSON of the same name says the same, and the posterior too
        files = [found if (found := file.with_suffix(".json")).exists() else file for file in files]
        files = files or sorted(path.glob("*.json"))
    if not files:
        right = "*.rttm or *.json" if json_too else "*.rttm"
        raise BadFile(f"{path}: found no {right}; name a folder that has some, or a file")
    return files


def _named(names: list[str]) -> str:
    shown_names = ", ".join(names[:_NAMED]) or "none"
    return shown_names + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
