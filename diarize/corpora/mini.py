"""The corpus of the first recipe: a real call of 30 s, and a synthetic conversation.

The call comes from the wheel of pyannote-audio (see `sample_call` for its licence). Where it
cannot be had the corpus is the synthetic conversation alone, which always can.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diarize.audio.io import read_audio
from diarize.corpora.conversation import saved, write_lists
from diarize.corpora.sample_call import SOURCE, Unobtainable, fetch_sample_call
from diarize.corpora.stamp import Fetched, finished, mark, stamp_of
from diarize.corpora.synthetic import synthetic_conversation
from diarize.errors import BadCall
from diarize.formats.manifest import Recording
from diarize.formats.rttm import read_rttm


@dataclass(frozen=True)
class MiniSettings:
    """The `[data]` table of a conf: whether the call is wanted, and the other one's length."""

    sample_call: bool = True
    synthetic_s: float = 40.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 5 <= self.synthetic_s <= 3600:
            raise BadCall(f"synthetic_s = {self.synthetic_s}; expected 5 to 3600 seconds")


def make_mini(folder: Path | str, settings: MiniSettings, offline: bool = False) -> Fetched:
    """Make the corpus in `folder`, or find it whole: manifest, ref.rttm, all.uem and audio/.

    A call that could not be had is a note, and is tried again the next time.

    Raises:
        BadCall: the folder holds another corpus.
        BadFile: the folder cannot be written.
    """
    folder = Path(folder)
    stamp = stamp_of("mini", settings, has_sample_call=settings.sample_call)
    without = {**stamp, "has_sample_call": False}
    if found := finished(folder, stamp) or (finished(folder, without) if offline else None):
        return found
    conversation = synthetic_conversation(settings.seed, settings.synthetic_s)
    made = [(saved(conversation, folder), conversation.reference)]
    notes = []
    if settings.sample_call:
        try:
            call = fetch_sample_call(folder / "audio", offline)
            duration_s = read_audio(call.audio).duration_s
            reference = read_rttm(call.rttm)["sample"]
            made.insert(0, (Recording("sample", call.audio, duration_s=duration_s), reference))
            notes.append(f"sample: a call of {duration_s:.0f} s, from {SOURCE}")
        except Unobtainable as reason:
            notes.append(f"going on without the sample call: {reason}")
    write_lists(made, folder)
    mark(folder, {**stamp, "has_sample_call": len(made) > 1})
    return Fetched(folder / "manifest.jsonl", len(made), is_new=True, notes=tuple(notes))
