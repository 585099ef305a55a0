"""A recording whose truth is known: the casts that are found there, and whose voices they are."""

from __future__ import annotations

import functools

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from diarize.audio.frames import runs
from diarize.features.segmentation import HOP_S
from diarize.features.speaker import SpeakerNetwork
from diarize.inference.cluster import speaker_sets
from diarize.inference.heard_files import HeardTruth
from diarize.inference.scenes import Cast, cast_of
from diarize.inference.voices import frame_of_each

SAME = 0.35  # cosine of a found voice with a true one from which it is thought to be his
LEAST_S = 0.24  # of speech, for a profile
ENOUGH_S = 0.5  # of speech alone; with less, what a speaker says among others counts too


class KnownRecording:
    """One recording: the casts that are found there, and whose voices they are."""

    def __init__(self, known: HeardTruth, speaker: SpeakerNetwork) -> None:
        self.known = known
        heard = known.heard
        index = frame_of_each(len(heard.voice), heard.voice_hop_s, heard.n_frames)
        self.talks = known.truth[:, index]  # on the frames of the speaker network
        self.speaker = speaker
        self._bridged: dict[float, Bool[np.ndarray, "speaker frame"]] = {}

    @functools.cached_property
    def found(self) -> tuple[tuple[Cast, list[int]], ...]:
        """Casts around the number that would be found, and who of the truth each one is, or -1.

        Who has most speech of all that sound like a true speaker is that one; the others are him
        again, and should say nothing.
        """
        units, embed = self.known.heard.voices.units, self._embed
        casts: list[tuple[Cast, list[int]]] = []
        for least_s in (None, LEAST_S * 2.5):
            sets = speaker_sets(units, embed, least_s)
            stop = max((len(one) for one in sets if one.all_differ), default=1)
            for one in sets:
                if max(1, stop - 1) <= len(one) <= stop + 3:
                    cast = cast_of(self.known.heard, one.voice, one.talk_s)
                    casts.append((cast, self._who(one.voice, one.talk_s)))
        return tuple(casts)

    @functools.cached_property
    def true_voices(self) -> tuple[Float[np.ndarray, "some dimension"], Int[np.ndarray, " some"]]:
        """The voices of the true speakers of whom enough is heard, and which rows those are."""
        statistics, rows = [], []
        for row in range(len(self.talks)):
            frames = self.alone(row)
            if len(frames):
                statistics.append(self.statistic(frames))
                rows.append(row)
        if not rows:
            return np.zeros((0, self.speaker.dimension), np.float32), np.zeros(0, np.int64)
        return self._embed(np.stack(statistics)), np.array(rows)

    def truth(self, pause_s: float) -> Bool[np.ndarray, "speaker frame"]:
        """Who talks, with pauses shorter than `pause_s` counted as speech."""
        if pause_s not in self._bridged:
            self._bridged[pause_s] = bridged(self.known.truth, pause_s)
        return self._bridged[pause_s]

    def speech_of(
        self, row: int, longest_s: float, impure: bool, chance: np.random.Generator
    ) -> Int[np.ndarray, " some"]:
        """Frames of the speaker network: at most `longest_s` of what a true speaker says."""
        frames = self.alone(row)
        longest = round(longest_s / self.known.heard.voice_hop_s)
        if len(frames) > longest:
            first = int(chance.integers(0, len(frames) - longest + 1))
            frames = frames[first : first + longest]
        others = np.flatnonzero(self.talks.any(axis=0) & ~self.talks[row])
        if impure and len(others) and len(frames):
            first = int(chance.integers(len(others)))
            n_others = int(chance.uniform(0, 0.25) * len(frames))
            frames = np.concatenate([frames, others[first : first + n_others]])
        return frames

    def two_places(
        self, row: int, least_s: float, most_s: float, chance: np.random.Generator
    ) -> list[Int[np.ndarray, " some"]]:
        """Frames of the speaker network in the first and in the second half of what a true speaker
        says, from `least_s` to `most_s` of each; empty if either half is too short for a profile.
        """
        frames, hop_s = self.alone(row), self.known.heard.voice_hop_s
        found = []
        for half in np.array_split(frames, 2):
            longest = round(np.exp(chance.uniform(np.log(least_s), np.log(most_s))) / hop_s)
            first = int(chance.integers(0, max(0, len(half) - longest) + 1))
            found.append(half[first : first + longest])
        return found if all(len(one) * hop_s >= LEAST_S for one in found) else []

    def statistic(self, frames: Int[np.ndarray, " some"]) -> Float[np.ndarray, " statistic"]:
        """That of these frames."""
        voice = torch.from_numpy(self.known.heard.voice[frames].T.astype(np.float32))
        return self.speaker.summarise(voice).double().numpy()

    def alone(self, row: int) -> Int[np.ndarray, " some"]:
        """Frames in which a true speaker talks, alone where that is enough; none if hardly any."""
        hop_s = self.known.heard.voice_hop_s
        talks = self.talks[row]
        alone = talks & (self.talks.sum(axis=0) == 1)
        chosen = np.flatnonzero(alone if alone.sum() * hop_s >= ENOUGH_S else talks)
        return chosen if len(chosen) * hop_s >= LEAST_S else chosen[:0]

    def _who(
        self, voice: Float[np.ndarray, "speaker dimension"], talk_s: Float[np.ndarray, " speaker"]
    ) -> list[int]:
        true, rows = self.true_voices
        who = [-1] * len(voice)
        if not len(rows):
            return who
        alike = voice @ true.T
        owner = np.where(alike.max(axis=1) > SAME, alike.argmax(axis=1), -1)
        for place, row in enumerate(rows):
            mine = np.flatnonzero(owner == place)
            if len(mine):
                who[mine[np.argmax(talk_s[mine])]] = int(row)
        return who

    def _embed(
        self, statistics: Float[np.ndarray, "voice statistic"]
    ) -> Float[np.ndarray, "voice dimension"]:
        return self.speaker.embed(torch.from_numpy(statistics)).numpy()


def bridged(
    truth: Bool[np.ndarray, "speaker frame"], pause_s: float
) -> Bool[np.ndarray, "speaker frame"]:
    """The same, but each speaker talks on through pauses shorter than `pause_s`.

    >>> bridged(np.array([[True, False, True, False]]), 0.02).astype(int).tolist()
    [[1, 1, 1, 0]]
    """
    found = truth.copy()
    n_frames = truth.shape[1]
    for row in found:
        for first, end in runs(~row).tolist():
            if first > 0 and end < n_frames and (end - first) * HOP_S < pause_s:
                row[first:end] = True
    return found
