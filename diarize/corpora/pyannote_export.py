"""A manifest as a protocol of pyannote.database: database.yml, and lists, RTTM, UEM beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyannote.core import Annotation, Segment, Timeline

from diarize.corpora.faults import Faults
from diarize.corpora.lhotse_export import Exported, truths
from diarize.corpora.recordings import length_s
from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import Recording, read_manifest
from diarize.formats.rttm import save_rttm
from diarize.formats.text import one_word, save_text
from diarize.formats.uem import save_uem

SUBSETS = ("train", "development", "test")
TASK = "SpeakerDiarization"
AUDIO = "audio"  # a folder of links, where no pattern says where the recordings lie


def export_pyannote(manifests: Mapping[str, Path], folder: Path, name: str) -> Exported:
    """Write database.yml and, for each subset, NAME.SUBSET.lst, .rttm and .uem into `folder`.

    `manifests` are by subset: train, development, test. The protocol is called
    NAME.SpeakerDiarization.NAME. Turns and regions keep their times to the millisecond. Where file
    names do not follow the ids, links to the recordings are made in `folder/audio`.

    Raises:
        BadCall: a subset or a name that pyannote.database would not take.
        BadFile: a file that cannot be read, a recording whose audio or truth is not there, or two
            different recordings with one id: all by id.
    """
    _check(manifests, folder, name)
    faults = Faults("export pyannote")
    entries = {subset: read_manifest(path) for subset, path in manifests.items()}
    everything = [entry for some in entries.values() for entry in some]
    if not everything:
        raise BadFile(f"{next(iter(manifests.values()))}: no recordings; expected one at least")
    audio = _by_id(everything, faults)
    written, n_turns = [], 0
    lists = {subset: _truth(some, faults) for subset, some in entries.items()}
    faults.tell(len(audio))
    for subset, (turns, scored) in lists.items():
        files = [folder / f"{name}.{subset}.{ending}" for ending in ("lst", "rttm", "uem")]
        save_text(files[0], "".join(f"{recording}\n" for recording in turns))
        save_rttm(files[1], turns)
        save_uem(files[2], scored)
        written += files
        n_turns += sum(1 for turn in turns.values() for _ in turn.itertracks())
    patterns = _patterns(audio) or _links(audio, folder)
    save_text(folder / "database.yml", _database(name, patterns, list(lists)))
    return Exported((folder / "database.yml", *written), len(audio), n_turns)


def _check(manifests: Mapping[str, Path], folder: Path, name: str) -> None:
    strange = [subset for subset in manifests if subset not in SUBSETS]
    if strange or not manifests:
        told = f"no subset {strange[0]!r}" if strange else "no manifest"
        raise BadCall(f"{told}; there are {', '.join(SUBSETS)}")
    if not name or not name.replace("_", "").replace("-", "").isalnum() or name == "X":
        raise BadCall(f"the name {name!r}; letters, digits, _ and - would be right, and not X")
    if set(str(folder.absolute())) & set("{}*"):
        raise BadCall(f"{folder}: pyannote.database cannot use a path with braces or stars")


def _by_id(entries: Sequence[Recording], faults: Faults) -> dict[str, Path]:
    """Where each recording lies; one may be in several subsets, but must be the same."""
    audio: dict[str, Path] = {}
    for entry in entries:
        name, path = one_word(entry.recording), entry.audio.absolute()
        if audio.setdefault(name, path) != path:
            rule = "two recordings with one id; rename one"
            faults.add(rule, name, f"{audio[name]} and {path}")
        elif not path.is_file():
            faults.add("the audio is not there", name, str(path))
        elif entry.rttm is None:
            faults.add("no rttm of it in the manifest", name)
    return audio


def _truth(
    entries: list[Recording], faults: Faults
) -> tuple[dict[str, Annotation], dict[str, Timeline]]:
    """Who speaks in each recording, and what is scored: all of it, where nothing is said."""
    told = truths(entries, faults)
    scored = dict(told.scored)
    for entry in entries:
        name = one_word(entry.recording)
        if name in scored:
            continue
        with contextlib.suppress(BadFile):  # a file that is not there is a fault already
            duration_s = entry.duration_s or length_s(entry.audio)
            scored[name] = Timeline([Segment(0.0, duration_s)], uri=name)
    return dict(told.turns), scored


def _patterns(audio: Mapping[str, Path]) -> list[str]:
    """Patterns with {uri} that find each recording, and none twice; [] if there are none."""
    found = {
        _pattern(path.parent, path.suffix) for name, path in audio.items() if path.stem == name
    }
    for name, path in audio.items():
        places = [Path(one.format(uri=name)) for one in found]
        if [place for place in places if place.is_file()] != [path]:
            return []
    return [] if any("*" in one for one in found) else sorted(found)


def _pattern(folder: Path, suffix: str) -> str:
    braced = str(folder).replace("{", "{{").replace("}", "}}")
    return f"{braced}/{{uri}}{suffix}"


def _links(audio: Mapping[str, Path], folder: Path) -> list[str]:
    """Make a link to each recording that is called by its id; the patterns of those."""
    place = folder / AUDIO
    place.mkdir(parents=True, exist_ok=True)
    for name, path in audio.items():
        if "/" in name:
            raise BadFile(f"export pyannote: {name}: an id with a / is no file name; rename it")
        link = place / f"{name}{path.suffix}"
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    return sorted({f"{AUDIO}/{{uri}}{path.suffix}" for path in audio.values()})


def _database(name: str, patterns: list[str], subsets: Sequence[str]) -> str:
    """The text of database.yml."""
    lines = ["Databases:", f"  {name}:", *(f"    - {json.dumps(one)}" for one in patterns)]
    lines += [
        "",
        "Protocols:",
        f"  {name}:",
        f"    {TASK}:",
        f"      {name}:",
        "        scope: file",
    ]
    for subset in subsets:
        lines.append(f"        {subset}:")
        for key, ending in (("uri", "lst"), ("annotation", "rttm"), ("annotated", "uem")):
            lines.append(f"          {key}: {name}.{subset}.{ending}")
    return "\n".join(lines) + "\n"
