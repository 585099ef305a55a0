"""VoxConverse v0.3: debates, news and talk shows, 1 to 21 speakers, from the web.

The audio lies as its archives unpack: `dev/audio/ID.wav` and `test/voxconverse_test_wav/ID.wav`
(or `voxconverse_dev_wav/`, `audio/dev/`, or beside the labels); the labels as in the repository
joonson/voxconverse: `dev/ID.rttm`, `test/ID.rttm`. There are no UEMs: all of it is scored.

Licences: the labels are under CC BY 4.0; the audio, whose copyright stays with the owners of the
videos, is given out for research by the Visual Geometry Group.
Source: J. S. Chung et al., "Spot the conversation: speaker diarisation in the wild", Interspeech
2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from diarize.corpora.faults import Faults, not_there
from diarize.corpora.recordings import AUDIO_ENDINGS, Found, Prepared, list_recordings
from diarize.errors import BadCall, BadFile
from diarize.formats.text import recording_id

if TYPE_CHECKING:
    from pyannote.core import Annotation

Part = Literal["dev", "test"]
N_RECORDINGS = {"dev": 216, "test": 232}
SITE = "https://www.robots.ox.ac.uk/~vgg/data/voxconverse/data"
LABELS = (  # version 0.3, by its commit
    "https://github.com/joonson/voxconverse/archive/24bf60be297701cd7e4ef18550c6d390c1b87365.tar.gz"
)


@dataclass(frozen=True)
class VoxConverseSettings:
    """The `[data]` table of a conf: which part, and where it is.

    `corpus` (audio) and `references` (labels) are the user's own; unnamed, they are the folders of
    those names that fetching makes. `recordings` names some of the parts; `leave_out` are not to be
    used. `site` and `labels` are where fetching gets them, `check` whether what it gets must be the
    known files. `tolerance_s` is by how much a reference may pass the end of the audio.
    """

    corpus: Path | None = None
    references: Path | None = None
    parts: tuple[Part, ...] = ("test",)
    recordings: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    site: str = SITE
    labels: str = LABELS
    check: bool = True
    tolerance_s: float = 0.5

    def __post_init__(self) -> None:
        if not self.parts:
            raise BadCall("parts = []; name dev, test or both")


def audio_folders(corpus: Path, part: str) -> list[Path]:
    """Where the audio of that part may be, the likeliest first."""
    name = f"voxconverse_{part}_wav"
    places = (f"{part}/audio", f"{part}/{name}", f"{name}/audio", name, f"audio/{part}", part)
    return [corpus / place for place in places]


def find_audio(corpus: Path, part: str) -> dict[str, list[Path]]:
    """The sound files of that part, by recording."""
    found: dict[str, list[Path]] = {}
    for folder in audio_folders(corpus, part):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.suffix.lower() in AUDIO_ENDINGS and path.name[0] != "." and path.is_file():
                found.setdefault(recording_id(path), []).append(path)
    return found


def labels_in(labels: Path, part: str) -> dict[str, Path]:
    """The label files of that part, by recording."""
    folder = labels / part
    names = sorted(folder.glob("*.rttm")) if folder.is_dir() else []
    return {recording_id(path): path for path in names if path.name[0] != "."}


def prepare_voxconverse(
    folder: Path, settings: VoxConverseSettings, out: Path | None = None
) -> Prepared:
    """Check the recordings against their labels, and list them in `out` (or `folder`).

    Raises:
        BadCall: settings that cannot be meant.
        BadFile: recordings without audio or labels, or with unsound ones: all by id.
    """
    corpus = settings.corpus or folder / "corpus"
    labels = settings.references or folder / "references"
    faults = Faults("voxconverse")
    found: list[Found] = []
    known: set[str] = set()
    for part in settings.parts:
        sounds, told = find_audio(corpus, part), labels_in(labels, part)
        known |= sounds.keys() | told.keys()
        if not settings.recordings and len(told) < N_RECORDINGS[part]:
            raise BadFile(
                f"{labels}/{part}: {len(told)} .rttm files; version 0.3 has {N_RECORDINGS[part]} "
                "(`diarize fetch voxconverse` gets them; recordings = [...] uses some)"
            )
        found += _found(part, settings, sounds, told, faults)
    not_there(settings.recordings, known, "recordings", "voxconverse")
    remedy = "`diarize fetch voxconverse` gets what is missing" if faults.broken else ""
    return list_recordings(found, out or folder, faults, settings.tolerance_s, remedy)


def _found(
    part: str,
    settings: VoxConverseSettings,
    sounds: Mapping[str, Sequence[Path]],
    told: Mapping[str, Path],
    faults: Faults,
) -> list[Found]:
    """The wanted recordings of a part that have audio and labels; others are noted."""
    names = set(settings.recordings) or sounds.keys() | told.keys()
    found = []
    for name in sorted((names & (sounds.keys() | told.keys())) - set(settings.leave_out)):
        if name not in told:
            faults.add(f"audio without labels ({part}/ID.rttm)", name)
        elif name not in sounds:
            faults.add(f"labels without audio ({part}/audio/ID.wav)", name)
        elif len(sounds[name]) > 1:
            rule = "two recordings with one id; keep one of the files"
            faults.add(rule, name, " and ".join(map(str, sounds[name])))
        elif turns := _turns(name, told[name], faults):
            found.append(Found(name, sounds[name][0], turns))
    return found


def _turns(name: str, path: Path, faults: Faults) -> Annotation | None:
    from diarize.formats.rttm import read_rttm

    told = read_rttm(path)
    if name not in told:
        others = f"it is about {', '.join(told) or 'nothing'}"
        faults.add("its .rttm has no turn of it", name, f"{path}: {others}")
    return told.get(name)
