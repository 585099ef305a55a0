"""Fetching VoxConverse: its audio from the Visual Geometry Group, its labels from GitHub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from diarize.corpora.archive import unpack
from diarize.corpora.download import Progress, Remote, fetch_file, quiet
from diarize.corpora.faults import Faults
from diarize.corpora.fetching import FetchedCorpus
from diarize.corpora.recordings import AUDIO_ENDINGS
from diarize.corpora.voxconverse import (
    N_RECORDINGS,
    VoxConverseSettings,
    find_audio,
    labels_in,
)
from diarize.errors import BadFile
from diarize.formats.text import recording_id

SHA256 = {  # of the three archives, as projects that fetched them have written down
    "dev": "e83a68b5df3bc945a3cf4544102038792ae79972753c585769e58ea677c523a8",
    "test": "472ebf1eaeb1dcb5c311b07a8b5c31bcedcccbf98f386d90a88cde2452da8c68",
    "labels": "e8c25c91b014657d7e4ad86f9bef4a7eb399929d8d4fab910d8e6c6ab63d1197",
}
ATTRIBUTION = (
    "VoxConverse 0.3 (Visual Geometry Group, Oxford): labels under CC BY 4.0; the audio is given "
    "out for research, its copyright stays with the owners of the videos"
)


def fetch_voxconverse(
    folder: Path, settings: VoxConverseSettings, offline: bool = False, progress: Progress = quiet
) -> FetchedCorpus:
    """Get the audio of the parts into `folder/corpus` and the labels into `folder/references`.

    A place that the settings name is the user's: it is looked into, and nothing is written there.

    Raises:
        BadFile: what is missing cannot be fetched, is not the known file, or is not to be fetched.
    """
    corpus = settings.corpus or folder / "corpus"
    labels = settings.references or folder / "references"
    n_new = 0
    for part in settings.parts:
        if not labels_in(labels, part):
            n_new += _fetch_labels(labels, settings, offline, progress)
        if lacking := _lacking(corpus, labels, part, settings):
            n_new += _fetch_audio(corpus, part, lacking, settings, offline, progress)
    what = f"VoxConverse {' and '.join(settings.parts)}"
    return FetchedCorpus(corpus, what, n_new > 0, (ATTRIBUTION,) if n_new else ())


def _lacking(corpus: Path, labels: Path, part: str, settings: VoxConverseSettings) -> list[str]:
    """The recordings wanted of that part whose audio is not there."""
    told = labels_in(labels, part).keys()
    wanted = (told & set(settings.recordings) if settings.recordings else told) - set(
        settings.leave_out
    )
    return sorted(wanted - find_audio(corpus, part).keys())


def _fetch_labels(
    labels: Path, settings: VoxConverseSettings, offline: bool, progress: Progress
) -> int:
    if offline or settings.references is not None:
        reason = "--offline was asked for" if offline else "without --references they are fetched"
        raise BadFile(f"{labels}: no labels (dev/ID.rttm, test/ID.rttm), and {reason}")
    archive = labels.with_name("voxconverse-labels.tar.gz")
    known = SHA256["labels"] if settings.check else None
    fetch_file(Remote(settings.labels, archive, known), progress)
    unpack(archive, labels, _place_of_label)
    if not all(labels_in(labels, part) for part in N_RECORDINGS):
        raise BadFile(f"{archive}: not the labels of VoxConverse: it lacks dev/ or test/ID.rttm")
    archive.unlink()
    return 1


def _fetch_audio(
    corpus: Path,
    part: str,
    lacking: list[str],
    settings: VoxConverseSettings,
    offline: bool,
    progress: Progress,
) -> int:
    if offline or settings.corpus is not None:
        faults = Faults(f"voxconverse {part}")
        faults.add_all(f"no audio in {corpus}/{part}/audio (ID.wav)", lacking)
        reason = "--offline was asked for" if offline else "without --corpus they are fetched"
        faults.tell(max(len(lacking), N_RECORDINGS[part]), reason)
    archive = corpus / f"voxconverse_{part}_wav.zip"
    known = SHA256[part] if settings.check else None
    url = f"{settings.site.rstrip('/')}/{archive.name}"
    fetch_file(Remote(url, archive, known), progress)
    wanted = set(lacking) if settings.recordings else None
    unpack(archive, corpus, _placer(part, wanted))
    left = sorted(set(lacking) - find_audio(corpus, part).keys())
    if left:
        faults = Faults(f"voxconverse {part}")
        faults.add_all(f"not in the archive {url}", left)
        faults.tell(len(lacking))
    archive.unlink()  # as large as what came out of it
    return 1


def _place_of_label(member: PurePosixPath) -> str | None:
    """Labels without the archive's top folder."""
    is_label = len(member.parts) == 3 and member.parts[1] in N_RECORDINGS
    return "/".join(member.parts[1:]) if is_label and member.suffix == ".rttm" else None


def _placer(part: str, wanted: set[str] | None) -> Callable[[PurePosixPath], str | None]:
    """Where the sound files of an archive go, those that are wanted: all into one folder."""

    def place(member: PurePosixPath) -> str | None:
        is_sound = member.suffix.lower() in AUDIO_ENDINGS and member.name[0] != "."
        is_wanted = wanted is None or recording_id(member.name) in wanted
        return f"{part}/audio/{member.name}" if is_sound and is_wanted else None

    return place
