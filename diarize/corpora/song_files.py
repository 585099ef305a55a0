"""A song of a corpus: of which files each of its sources is the sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float32

from diarize.errors import BadFile
from diarize.formats.tracks import read_samples


@dataclass(frozen=True)
class SongFiles:
    """A song: its name, and the files that add up to each source; none where it does not play.

    All files have one rate, length and number of channels.
    """

    name: str
    files: Mapping[str, Sequence[Path]]
    rate_hz: int
    n_samples: int
    n_channels: int

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self.n_samples / self.rate_hz

    def source(self, name: str) -> Float32[np.ndarray, "channel time"]:
        """The sound of a source, full scale 1, beyond that where its files add up to more.

        Raises:
            BadFile: a file that cannot be decoded.
        """
        total = np.zeros((self.n_channels, self.n_samples), np.float32)
        for path in self.files[name]:
            total += read_samples(path)
        return total


def song_files(name: str, place: Path, files: Mapping[str, Sequence[Path]]) -> SongFiles:
    """The song in the folder `place`, its files checked but not decoded.

    Raises:
        BadFile: a file that is missing, is no sound, or is not as the song's others are.
    """
    facts: dict[Path, tuple[int, int, int]] = {}
    for path in sorted({path for own in files.values() for path in own}):
        try:
            info = soundfile.info(path)
        except (OSError, soundfile.LibsndfileError) as error:
            what = f"cannot be read ({error})" if path.exists() else "no such file"
            raise BadFile(f"{place}: {path.relative_to(place)}: {what}") from None
        facts[path] = info.frames, info.samplerate, info.channels
    if not facts:
        raise BadFile(f"{place}: no file of {', '.join(files)}; such a song is of no use")
    first = next(iter(facts))
    for path, fact in facts.items():
        if fact != facts[first]:
            raise BadFile(
                f"{place}: {path.relative_to(place)} has {_told(fact)}; "
                f"{first.relative_to(place)} has {_told(facts[first])}; expected all alike"
            )
    n_samples, rate_hz, n_channels = facts[first]
    return SongFiles(name, dict(files), rate_hz, n_samples, n_channels)


def _told(fact: tuple[int, int, int]) -> str:
    return f"{fact[0]} samples at {fact[1]} Hz in {fact[2]} channel{'s' if fact[2] > 1 else ''}"
