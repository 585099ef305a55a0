"""The `[data]` table of a conf that makes music: which songs, which soundfonts, how they vary."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from diarize.config import at_most
from diarize.corpora.synthesizer import Name
from diarize.errors import BadCall

SPLITS = ("train", "validation", "test")
SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"))


@dataclass(frozen=True)
class Variation:
    """How much one take of a song differs from the next; all zeros: it is played as written.

    Attributes:
        program: how likely an instrument is played by another preset of its class.
        tempo: the most by which a song is faster or slower, as a share: 0.15 is 85 to 115 %.
        semitones: the most by which all but the drums are higher or lower.
        gain_db: the most by which an instrument is louder or softer.
        velocity: spread of the exponent put on how hard notes are struck, natural log.
        room: how likely the players are in a room that is heard (FluidSynth only).
    """

    program: float = 0.7
    tempo: float = 0.15
    semitones: int = 4
    gain_db: float = 4.0
    velocity: float = 0.3
    room: float = 0.4

    def __post_init__(self) -> None:
        at_most(self, program=1, tempo=0.5, semitones=12, gain_db=40, velocity=2, room=1)


@dataclass(frozen=True)
class PartSettings:
    """A part of the corpus, a folder of tracks: songs of one split, each played `takes` times.

    Take after take goes through the soundfonts in turn; "ONE+OTHER" is both as one, for files that
    hold some instruments only. Without `varied`, a song is played as it
    is written. With `excerpt_s`, a take is so many seconds from anywhere in the song; 0: all of it.
    """

    songs: Literal["train", "validation", "test"] = "train"
    soundfonts: tuple[str, ...] = ("FluidR3_GM",)
    takes: int = 1
    varied: bool = False
    excerpt_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.excerpt_s >= 0:
            raise BadCall(f"excerpt_s = {self.excerpt_s}; expected 0 or more seconds")
        if not self.soundfonts:
            raise BadCall("soundfonts = []; expected at least one name")
        if self.takes < 1:
            raise BadCall(f"takes = {self.takes}; expected 1 or more")

    def soundfont_names(self) -> list[str]:
        """The name of each soundfont, once."""
        return list(dict.fromkeys(name for one in self.soundfonts for name in one.split("+")))


def _usual_parts() -> dict[str, PartSettings]:
    return {
        "train": PartSettings("train", takes=4, varied=True, excerpt_s=60.0),
        "validation": PartSettings("validation"),
        "test": PartSettings("test", soundfonts=("TimGM6mb",)),
        "test_seen_font": PartSettings("test"),
    }


@dataclass(frozen=True)
class RenderedSettings:
    """What is rendered of which songs.

    A song belongs to the split that a hash of its notes gives it, so that the same song under two
    names is in one split only and new songs move no old one. Each part names its soundfonts; the
    summary says which parts have none that is heard in training.

    Attributes:
        midi: folders of MIDI files. Empty: `midi/` in the data folder, where fetching puts them.
        soundfont_folders: where soundfonts are looked for, by file name without ending, if they are
            not in `soundfonts/` in the data folder.
        synthesizer: "fluidsynth", "tinysoundfont", or "auto", which takes the first that is there.
        rate_hz: of the tracks; they are rendered at 44.1 kHz.
        parts: folders by name.
        validation_share, test_share: of songs.
        outsiders: what becomes of instruments outside the four classes. "fill": they play what the
            song lacks of guitar and piano, and are left out otherwise; "leave": always left out.
        min_sources: songs with fewer of the four classes are left out.
        min_s, max_s: shorter songs are left out, longer ones end there.
        stem_lufs: how loud each instrument is before its gain of chance, as in Slakh.
        peak_dbfs: of the mix.
        variation: of the takes of parts that are `varied`.
        seed: of all that is drawn.
    """

    corpus: Literal["rendered"] = "rendered"
    midi: tuple[Path, ...] = ()
    soundfont_folders: tuple[Path, ...] = SOUNDFONT_FOLDERS
    synthesizer: Name = "auto"
    rate_hz: int = 22050
    parts: dict[str, PartSettings] = field(default_factory=_usual_parts)
    validation_share: float = 0.1
    test_share: float = 0.15
    outsiders: Literal["fill", "leave"] = "fill"
    min_sources: int = 2
    min_s: float = 12.0
    max_s: float = 640.0
    stem_lufs: float = -20.0
    peak_dbfs: float = -1.0
    variation: Variation = field(default_factory=Variation)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rate_hz not in (22050, 44100):
            raise BadCall(f"rate_hz = {self.rate_hz}; expected 22050 or 44100")
        if not self.parts:
            raise BadCall("parts: none; expected one table [data.parts.NAME] or more")
        for name in self.parts:
            if Path(name).name != name or name.startswith("."):
                raise BadCall(f"[data.parts.{name}]: expected a plain name of a folder")
        for name in ("validation_share", "test_share"):
            if not 0 <= getattr(self, name) < 1:
                raise BadCall(f"{name} = {getattr(self, name)}; expected 0 to below 1")
        if self.validation_share + self.test_share >= 1:
            raise BadCall("validation_share and test_share leave no song to train on")
        if not 1 <= self.min_sources <= 4:
            raise BadCall(f"min_sources = {self.min_sources}; expected 1 to 4")
        if not 0 < self.min_s <= self.max_s < math.inf:
            raise BadCall(f"min_s = {self.min_s}, max_s = {self.max_s}; expected 0 < min <= max")
        if not self.peak_dbfs <= 0:
            raise BadCall(f"peak_dbfs = {self.peak_dbfs}; expected 0 or less")

    def soundfont_names(self) -> list[str]:
        """The names of all soundfonts of all parts, each once, in order."""
        return sorted({name for part in self.parts.values() for name in part.soundfont_names()})

    def split_of(self, fingerprint: str) -> str:
        """The split of a song, by the hash of its notes.

        >>> RenderedSettings(test_share=0.5, validation_share=0.25).split_of("40" + 62 * "0")
        'test'
        """
        place = int(fingerprint[:16], 16) / 2**64
        if place < self.test_share:
            return "test"
        return "validation" if place < self.test_share + self.validation_share else "train"

    def decisive(self) -> dict[str, Any]:
        """The settings, as JSON has them."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), default=str))
        return plain
