"""Windows of mixtures as latents of a codec, to train a model of latents on.

They are read from what `diarize prepare latents` left, a window at a time, by a map of the file: no
codec runs in training, and memory does not grow with how much music there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from diarize.codecs.fingerprint import fingerprint
from diarize.corpora.chance import generator_of
from diarize.corpora.latent_sets import FOLDER, LatentSong, hop_of, latent_codec, latent_songs
from diarize.corpora.latent_settings import LINEAR
from diarize.corpora.latent_windows import LatentWindows
from diarize.corpora.stem_effects import Effects
from diarize.corpora.stem_sets import SILENT
from diarize.corpora.stem_settings import StemSettings
from diarize.errors import BadCall, BadFile
from diarize.formats.latent_files import power_path, read_frames

TRIES = 10  # of a window
MOST_TRIES = 1000  # where sources have to sound


class LatentSupply:
    """Hands out windows of what `diarize prepare latents` left; a `Supply`, alike for any phase.

    Windows begin at any frame of any song, and are drawn anew while fewer sources than
    `least_active` sound, as those of `StemSupply`. A window hangs on the seed, the phase, the
    epoch, the batch's number and its row. Songs are as they are: the latents of a codec of
    something remixed, louder or played otherwise are not those of the songs changed, so all of
    that is refused.
    """

    settings_type = StemSettings

    def __init__(self, folder: Path | str, settings: StemSettings) -> None:
        """The supply of the part to train on.

        Raises:
            BadCall: windows are to be changed, which latents cannot be, or no codec is named.
            BadFile: no latents, or of another codec, other settings or other stems; or no song is
                as long as a window.
        """
        _refuse_changes(settings)
        self.settings = settings
        codec = latent_codec(settings)
        self.codec = int(fingerprint(codec), 16)
        self.n_frames = max(1, settings.n_samples // hop_of(codec))
        self.place = Path(folder) / FOLDER / settings.latents.folder / settings.train_part
        found = latent_songs(Path(folder), settings, settings.train_part, codec)
        self.songs = [song for song in found if song.n_frames >= self.n_frames]
        if not self.songs:
            raise BadFile(f"{self.place}: no song of {settings.window_s:g} s or more")
        self._ends = np.cumsum([song.n_frames - self.n_frames + 1 for song in self.songs])

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch has."""
        return self.settings.n_batches

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[LatentWindows]:
        """The batches of epoch `epoch` (from 0), from number `start` on."""
        size = self.settings.batch
        for number in range(start, self.settings.n_batches):
            rows = [
                self.window(generator_of(self.settings.seed, phase, epoch, number, row))
                for row in range(size)
            ]
            latents = torch.from_numpy(np.stack([row.latents for row in rows]))
            loudness = torch.tensor([row.loudness for row in rows], dtype=torch.float32)
            codec = torch.full((size,), self.codec)
            own = self.settings.latents
            known = own.codec in LINEAR or own.level == "song"
            yield LatentWindows(latents, codec=codec, loudness=loudness if known else None)

    def window(self, chance: np.random.Generator) -> LatentWindow:
        """The latents of one window.

        Raises:
            BadFile: sources have to sound, and do in none of a thousand windows.
        """
        own, has_to = self.settings, self.settings.sounding_rms > 0
        for _ in range(MOST_TRIES if has_to else TRIES):
            song, start = self._place(chance)
            powers = read_frames(power_path(song.path), start, self.n_frames)
            if _n_sounding(powers[:, 1:], own.sounding_rms) >= own.least_active:
                break
        else:
            if has_to:
                raise BadFile(
                    f"{self.place}: {MOST_TRIES} windows of {own.window_s:g} s, in none of which "
                    f"{own.least_active} of {', '.join(own.sources)} reach sounding_rms = "
                    f"{own.sounding_rms:g}"
                )
        latents = read_frames(song.path, start, self.n_frames).T
        is_level = own.latents.level == "song"
        loudness = 1.0 if is_level else float(np.sqrt(powers[:, 0].mean(dtype=np.float64)))
        return LatentWindow(np.ascontiguousarray(latents), loudness)

    def _place(self, chance: np.random.Generator) -> tuple[LatentSong, int]:
        """A frame of all songs: long songs are drawn as much more often as they are longer."""
        at = int(chance.integers(self._ends[-1]))
        index = int(np.searchsorted(self._ends, at, side="right"))
        return self.songs[index], at - (int(self._ends[index - 1]) if index else 0)


@dataclass(frozen=True)
class LatentWindow:
    """The latents of a window, and the root mean square of what they are of (1 if made so)."""

    latents: Float32[np.ndarray, "latent frame"]
    loudness: float


def _n_sounding(powers: Float32[np.ndarray, "frame source"], sounding_rms: float) -> int:
    """How many sources sound, by the root mean square or, with 0, in any frame at all."""
    if not sounding_rms:
        return int((powers.max(axis=0) > SILENT**2).sum())
    return int((np.sqrt(powers.mean(axis=0, dtype=np.float64)) >= sounding_rms).sum())


def _refuse_changes(settings: StemSettings) -> None:
    remix = settings.remix
    changes = {
        "remix.share": remix.share,
        "remix.mute": remix.mute,
        "remix.gain_db": remix.gain_db,
        "remix.level_db": remix.level_db,
        "remix.invert": remix.invert,
        "remix.effects": remix.effects != Effects(),
        "brightness": settings.brightness.is_used,
    }
    if found := [name for name, value in changes.items() if value]:
        raise BadCall(
            f"{', '.join(found)}: cannot be done to latents that were made beforehand; leave them "
            "out (0, false), or take corpus = 'stems'"
        )
