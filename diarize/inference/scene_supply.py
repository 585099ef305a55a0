"""Scenes to train the speech MS-VAE on: windows of recordings, and casts as they will be met.

A supply must hear a recording and look for its speakers just as inference does, so it lives here
and not among the corpora. Half of the casts are those that the search for speakers finds, too many
and too few included; the others are true speakers, each by some of his speech, some left out, now
and then with a stranger among them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int

from diarize.config import at_least, at_most
from diarize.corpora.batch import Scenes
from diarize.corpora.chance import generator_of
from diarize.errors import BadCall, BadFile
from diarize.features.segmentation import HOP_S
from diarize.features.speaker import load_speaker_network
from diarize.formats.manifest import read_manifest
from diarize.inference.heard_files import FOLDER, prepare_heard, read_heard
from diarize.inference.known_recording import KnownRecording
from diarize.inference.scenes import Cast, cast_of, scene, together

NATS_PER_DB = np.log(10) / 10  # of power


@dataclass(frozen=True)
class SceneSettings:
    """The settings of a supply of scenes, in the [data] table.

    Attributes:
        folders: of the data folder, each with what was heard; empty for the data folder itself.
        n_batches: in an epoch.       batch: scenes in each.
        window_s: how long a scene is.
        n_speakers: the most that a cast has.
        found_share: of casts that are found, not made of true speakers.
        leave_out: how likely a true speaker is not in the cast.
        stranger_share: of casts of true speakers, those with somebody from another recording.
        impure_share: of true profiles, those with up to a quarter of others' speech in them.
        least_profile_s, most_profile_s: of speech that a true profile rests on.
        tilt_db: spread of the slope of a scene's spectrum, from the lowest band to the highest.
        places: each speaker's voice in two places of his recording is handed out, too (for the
            `cross_weight` of the speech MS-VAE); the scenes are the same with and without.
        pauses_s: pauses of one speaker shorter than one of these, drawn for each scene, count as
            speech in it.
        seed: of all that is drawn.
    """

    corpus: Literal["scenes"] = "scenes"
    folders: tuple[str, ...] = ()
    n_batches: int = 200
    batch: int = 12
    window_s: float = 10.0
    n_speakers: int = 5
    found_share: float = 0.55
    leave_out: float = 0.1
    stranger_share: float = 0.35
    impure_share: float = 0.3
    least_profile_s: float = 0.6
    most_profile_s: float = 20.0
    tilt_db: float = 6.0
    pauses_s: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0)
    places: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, n_batches=1, batch=1, n_speakers=1)
        if not 1 <= self.window_s <= 60:
            raise BadCall(f"window_s = {self.window_s}; 1 to 60 seconds would be right")
        if not self.pauses_s or min(self.pauses_s) <= 0:
            raise BadCall(f"pauses_s = {list(self.pauses_s)}; numbers above 0 would be right")
        at_most(self, found_share=1, leave_out=1, stranger_share=1, impure_share=1)
        if not 0 < self.least_profile_s <= self.most_profile_s:
            raise BadCall(
                f"least_profile_s = {self.least_profile_s}; above 0, and at most "
                f"most_profile_s = {self.most_profile_s}, would be right"
            )

    @property
    def n_frames(self) -> int:
        """Of a scene; even."""
        return 2 * round(self.window_s / HOP_S / 2)


class SceneSupply:
    """Hands out scenes of what `diarize prepare scenes` left; a `Supply`, of any phase."""

    settings_type = SceneSettings

    def __init__(self, folder: Path | str, settings: SceneSettings) -> None:
        """The supply of all that was heard in the folders that the settings name.

        Raises:
            BadFile: nothing was, in one of them.
        """
        self.settings = settings
        folders = [Path(folder) / name for name in settings.folders] or [Path(folder)]
        self.paths = [path for one in folders for path in _heard_in(one)]
        self.speaker = load_speaker_network("campplus")

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch has."""
        return self.settings.n_batches

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Scenes]:
        """The batches of epoch `epoch` (from 0), from number `start` on."""
        for number in range(start, self.settings.n_batches):
            chance = generator_of(self.settings.seed, phase, epoch, number)
            chosen = chance.integers(0, len(self.paths), self.settings.batch)
            apart = generator_of(self.settings.seed, phase, epoch, number, "places")
            made = []
            for one in chosen.tolist():
                here, who = self._scene(one, chance)
                made.append(
                    self._with_places(here, who, one, apart) if self.settings.places else here
                )
            yield together(made)

    @functools.cached_property
    def _recordings(self) -> list[KnownRecording]:
        """All of them, in memory: 100 KB for each second of audio."""
        return [KnownRecording(read_heard(path), self.speaker) for path in self.paths]

    def _scene(self, which: int, chance: np.random.Generator) -> tuple[Scenes, list[int]]:
        """A scene of a recording, and which of its true speakers each of the cast is, or -1."""
        one, settings = self._recordings[which], self.settings
        n_frames = min(settings.n_frames, one.known.heard.n_frames)
        first = int(chance.integers(0, one.known.heard.n_frames - n_frames + 1))
        sets = one.found if chance.random() < settings.found_share else ()
        if sets:
            cast, who = sets[int(chance.integers(len(sets)))]
        else:
            cast, who = self._true_cast(one, chance)
        pause_s = float(chance.choice(settings.pauses_s))
        here = one.truth(pause_s)[:, first : first + n_frames]
        talks = np.zeros((len(who), n_frames), dtype=bool)
        for place, row in enumerate(who):
            if row >= 0:
                talks[place] = here[row]
        busy = talks.sum(axis=1) + chance.random(len(who))  # if there are too many, who talks here
        order = chance.permutation(np.argsort(-busy)[: settings.n_speakers])
        made = scene(one.known.heard, cast.only(order), first, first + n_frames, pause_s)
        patterns = np.zeros((1, made.mel.shape[1], len(order)), dtype=np.int64)
        patterns[0, :n_frames] = talks[order].T
        tilt = settings.tilt_db * chance.normal() * torch.linspace(-0.5, 0.5, made.mel.shape[2])
        tilt = (tilt * NATS_PER_DB).to(made.mel)
        told = {"mel": made.mel + tilt, "typical": made.typical + tilt}
        scene_made = replace(made, patterns=torch.from_numpy(patterns), **told)
        return scene_made, [who[place] for place in order]

    def _with_places(
        self, made: Scenes, who: list[int], which: int, chance: np.random.Generator
    ) -> Scenes:
        """The scene, with the voices of its true speakers in two places of the recording."""
        one, settings = self._recordings[which], self.settings
        n_speakers, dimension = made.profile.shape[1:]
        places, places_s = torch.zeros(1, n_speakers, 2, dimension), torch.zeros(1, n_speakers, 2)
        owner = torch.full((1, n_speakers), -1)
        for place, row in enumerate(who):
            if row < 0:
                continue
            found = one.two_places(row, settings.least_profile_s, settings.most_profile_s, chance)
            if found:
                told = np.stack([one.statistic(frames) for frames in found])
                places[0, place] = self.speaker.embed(torch.from_numpy(told)).to(places)
                places_s[0, place] = torch.from_numpy(told[:, 0] * one.known.heard.voice_hop_s)
                owner[0, place] = self._first_owner[which] + row
        return replace(made, places=places, places_s=places_s, owner=owner)

    @functools.cached_property
    def _first_owner(self) -> Int[np.ndarray, " recording"]:
        """The number of each recording's first speaker, so that no two have the same."""
        counts = [len(one.known.truth) for one in self._recordings]
        return np.cumsum([0, *counts[:-1]])

    def _true_cast(
        self, one: KnownRecording, chance: np.random.Generator
    ) -> tuple[Cast, list[int]]:
        """True speakers by some of their speech, and who they are; -1 is a stranger."""
        settings = self.settings
        statistics, who = [], []
        for row in range(len(one.known.truth)):
            if chance.random() < settings.leave_out:
                continue
            longest_s = _log_uniform(chance, settings.least_profile_s, settings.most_profile_s)
            impure = chance.random() < settings.impure_share
            frames = one.speech_of(row, longest_s, impure, chance)
            if len(frames):
                statistics.append(one.statistic(frames))
                who.append(row)
        if chance.random() < settings.stranger_share:
            other = self._recordings[int(chance.integers(len(self._recordings)))]
            row = int(chance.integers(len(other.known.truth)))
            frames = other.speech_of(row, settings.most_profile_s, False, chance)
            if other is not one and len(frames):
                statistics.append(other.statistic(frames))
                who.append(-1)
        heard = one.known.heard
        if not statistics:
            nobody = np.zeros((0, self.speaker.dimension), np.float32)
            return cast_of(heard, nobody, np.zeros(0, np.float32)), []
        told = np.stack(statistics)
        profile = self.speaker.embed(torch.from_numpy(told)).numpy()
        return cast_of(heard, profile, told[:, 0] * heard.voice_hop_s), who


def prepare_scenes(
    folder: Path,
    settings: SceneSettings,
    progress: Callable[[float], None] | None = None,
    part: tuple[int, int] = (1, 1),
) -> Path:
    """Listen to the recordings of each folder's manifest; the first folder of what was heard.

    `part` (2, 3) does the second of three shares of each folder's recordings.

    Raises:
        BadFile: a manifest, a recording or its truth cannot be read.
    """
    folders = [folder / name for name in settings.folders] or [folder]
    for one in folders:
        prepare_heard(one, progress, part)
    return folders[0] / FOLDER


def _heard_in(folder: Path) -> list[Path]:
    """What was heard of the recordings of a folder's manifest; without one, all that is there."""
    there = sorted((folder / FOLDER).glob("*.safetensors"))
    if (folder / "manifest.jsonl").exists():  # files of an earlier one may be left over
        entries = [one for one in read_manifest(folder / "manifest.jsonl") if one.rttm]
        wanted = {f"{one.recording}.safetensors" for one in entries}
        there = [path for path in there if path.name in wanted]
        if len(there) < len(wanted):
            raise BadFile(
                f"{folder / FOLDER}: {len(there)} of {len(wanted)} recordings heard; "
                "run diarize prepare scenes first"
            )
    if not there:
        raise BadFile(f"{folder / FOLDER}: nothing heard; run diarize prepare scenes first")
    return there


def _log_uniform(chance: np.random.Generator, least: float, most: float) -> float:
    return float(np.exp(chance.uniform(np.log(least), np.log(most))))
