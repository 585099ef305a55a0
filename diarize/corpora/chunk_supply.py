"""Batches of chunks of two known speakers: each alone, and conversations, for training."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float, Float32, Int
from torch import Tensor

from diarize.audio.frames import FrameGrid
from diarize.audio.mix import at_level
from diarize.corpora.batch import Batch
from diarize.corpora.chance import generator_of
from diarize.corpora.phrases import LEVEL_DBFS
from diarize.corpora.two_channel import TwoChannel, read_part
from diarize.corpora.two_speaker_settings import TwoSpeakerSettings
from diarize.corpora.two_speakers import check_made, folder_of
from diarize.errors import BadCall, BadFile
from diarize.features.chunks import ChunkedSound, ChunkSettings, chunk_values

PHASES = ("experts", "mixtures", "refine")
SILENCE_SCALE = 0.0008  # of the Laplace noise that the paper puts in place of silent chunks
GRID_S = 0.01
LEAST_SHARE = 0.5  # of a chunk that its speaker talks in, for an expert to learn from it


@dataclass(frozen=True)
class Talk:
    """Who talks in the chunks of a recording.

    Attributes:
        middle: who does at the middle of each.
        share: in how much of it each speaker does, 0 to 1.
    """

    middle: Bool[np.ndarray, "speaker chunk"]
    share: Float[np.ndarray, "speaker chunk"]


def talk_in_chunks(recording: TwoChannel, settings: ChunkSettings) -> Talk:
    """Who talks in the chunks of a recording of which that is known."""
    n_chunks = settings.n_chunks(recording.channels.shape[1])
    from_s = np.arange(n_chunks) * settings.hop * settings.hop_frames / recording.rate_hz
    own_s = settings.own_samples / recording.rate_hz
    grid = FrameGrid.over(float(from_s[-1]) + own_s + GRID_S, GRID_S)
    active = recording.active(grid)
    first, last = (np.round(edge_s / GRID_S).astype(int) for edge_s in (from_s, from_s + own_s))
    total = np.concatenate([np.zeros((2, 1)), np.cumsum(active, axis=1)], axis=1)
    share = (total[:, last] - total[:, first]) / np.maximum(last - first, 1)
    return Talk(active[:, (first + last) // 2], share)


def levelled(mixture: Float32[np.ndarray, " time"], rate_hz: int) -> Float32[np.ndarray, " time"]:
    """A recording at the level that all are brought to: its own depends on the microphone."""
    return at_level(mixture, rate_hz, LEVEL_DBFS)


def silent_values(n_chunks: int, n_values: int, chance: np.random.Generator) -> Tensor:
    """What the paper has for a chunk in which nobody talks: Laplace(0, .0008) noise."""
    noise = chance.laplace(0, SILENCE_SCALE, (n_chunks, n_values)).astype(np.float32)
    return torch.from_numpy(noise)


class ChunkSupply:
    """Hands out chunks of what `diarize fetch two_speakers` left in a folder; a `Supply`.

    Phase "experts": chunks in which one speaker talks alone, with labels; of each speaker as many,
    first all of the first. Phases "mixtures" and "refine": every chunk of the training
    conversations once an epoch, in whole batches; at the end of each batch `known_share` of it
    superposed of labelled sound, whose pattern is in `Batch.patterns` (-1 for the others).
    """

    settings_type = TwoSpeakerSettings
    n_streams = 2

    def __init__(self, folder: Path | str, settings: TwoSpeakerSettings) -> None:
        """The supply of what was made in `folder` by these settings.

        Raises:
            BadFile: nothing was, or by others; or a speaker who never talks alone.
        """
        check_made(Path(folder), settings)
        self.settings, self.chunks = settings, settings.chunks
        recordings = read_part(folder_of(Path(folder), "train"), settings.speakers)
        rates = {one.rate_hz for one in recordings}
        if len(rates) > 1:
            raise BadFile(f"{folder}: recordings at {sorted(rates)} Hz; expected one rate")
        self.rate_hz = rates.pop()
        sounds = [levelled(one.mixture, one.rate_hz) for one in recordings]
        self._sounds = [ChunkedSound(torch.from_numpy(one), self.chunks) for one in sounds]
        self._first = np.cumsum([0, *(one.n_chunks for one in self._sounds)])
        talk = [talk_in_chunks(one, self.chunks) for one in recordings]
        self._middle = np.concatenate([one.middle for one in talk], axis=1)
        share = np.concatenate([one.share for one in talk], axis=1)
        alone = (share >= LEAST_SHARE) & (share[::-1] == 0) & self._middle
        self._alone = [
            _first_share(np.flatnonzero(own), settings.labelled_share, name)
            for own, name in zip(alone, settings.speakers, strict=True)
        ]
        labelled = max(int(own[-1]) for own in self._alone)
        self._nobody = np.flatnonzero((share == 0).all(axis=0)[: labelled + 1])

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch of `phase` has."""
        self._check(phase)
        if phase == "experts":
            most = max(len(own) for own in self._alone)
            return max(1, most // (self.settings.expert_batch // 2))
        return max(1, self._middle.shape[1] // (self.settings.mixture_batch - self._n_known))

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch `epoch` (from 0) of `phase`, from number `start` on."""
        self._check(phase)
        if phase == "experts":
            return self._expert_batches(epoch, start)
        return self._mixture_batches(phase, epoch, start)

    def _check(self, phase: str) -> None:
        if phase not in PHASES:
            raise BadCall(f"no phase {phase!r} of two speakers; there are {', '.join(PHASES)}")

    @functools.cached_property
    def _n_known(self) -> int:
        return round(self.settings.known_share * self.settings.mixture_batch)

    def _expert_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        n_batches, n_each = self.n_batches("experts"), self.settings.expert_batch // 2
        chance = generator_of(self.settings.seed, "experts", epoch)
        orders = [_laps(own, n_batches * n_each, chance) for own in self._alone]
        labels = torch.arange(2).repeat_interleave(n_each)
        for number in range(start, n_batches):
            here = slice(number * n_each, (number + 1) * n_each)
            chosen = np.concatenate([order[here] for order in orders])
            chance = generator_of(self.settings.seed, "experts", epoch, number)
            spectra = self._spectra(chosen) * self._gains(len(chosen), chance)
            yield Batch(self._values(spectra), labels)

    def _mixture_batches(self, phase: str, epoch: int, start: int) -> Iterator[Batch]:
        settings = self.settings
        order = generator_of(settings.seed, phase, epoch, "order").permutation(
            self._middle.shape[1]
        )
        n_unknown = settings.mixture_batch - self._n_known
        for number in range(start, self.n_batches(phase)):
            chance = generator_of(settings.seed, phase, epoch, number)
            chosen = order[number * n_unknown : (number + 1) * n_unknown]
            values = self._values(self._spectra(chosen))
            silent = ~self._middle[:, chosen].any(axis=0)
            if settings.silence == "oracle" and silent.any():
                noise = silent_values(int(silent.sum()), values.shape[1], chance)
                values[torch.from_numpy(silent)] = noise
            if not self._n_known:
                yield Batch(values)
                continue
            known, pattern = self._known(chance)
            unknown = torch.full((len(values), 2), -1)
            yield Batch(torch.cat([values, known]), patterns=torch.cat([unknown, pattern]))

    def _known(self, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Labelled sound superposed, and who is on in it."""
        counts = chance.choice(3, self._n_known, p=self.settings.known_by_count)
        first = chance.integers(2, size=self._n_known)
        pattern = np.zeros((self._n_known, 2), np.int64)
        pattern[np.arange(self._n_known), first] = counts > 0
        pattern[counts == 2] = 1
        bins = (self.chunks.n_fft // 2 + 1, self.chunks.n_frames)
        spectra = torch.zeros(self._n_known, *bins, dtype=torch.complex64)
        if len(self._nobody):
            spectra += self._spectra(chance.choice(self._nobody, self._n_known))
        for stream, own in enumerate(self._alone):
            on = np.flatnonzero(pattern[:, stream])
            drawn = self._spectra(chance.choice(own, len(on))) * self._gains(len(on), chance)
            spectra[torch.from_numpy(on)] += drawn
        return self._values(spectra), torch.from_numpy(pattern)

    def _gains(self, n_chunks: int, chance: np.random.Generator) -> Float[Tensor, "chunk 1 1"]:
        spread = self.settings.gain_spread_db if self.settings.known_share else 0.0
        gains = 10 ** (chance.normal(0, spread, (n_chunks, 1, 1)) / 20)
        return torch.from_numpy(gains.astype(np.float32))

    def _spectra(self, chosen: Int[np.ndarray, " chunk"]) -> Complex[Tensor, "chunk bin frame"]:
        """Of chunks counted through all recordings."""
        where = np.searchsorted(self._first, chosen, side="right") - 1
        bins = (self.chunks.n_fft // 2 + 1, self.chunks.n_frames)
        spectra = torch.empty(len(chosen), *bins, dtype=torch.complex64)
        for number in np.unique(where).tolist():
            rows = np.flatnonzero(where == number)
            own = torch.from_numpy(chosen[rows] - self._first[number])
            spectra[torch.from_numpy(rows)] = self._sounds[number].spectra(own)
        return spectra

    def _values(self, spectra: Complex[Tensor, "chunk bin frame"]) -> Tensor:
        return chunk_values(spectra, self.rate_hz, self.chunks)


def _first_share(
    found: Int[np.ndarray, " chunk"], share: float, speaker: str
) -> Int[np.ndarray, " first"]:
    if not len(found):
        raise BadFile(f"the training conversations: {speaker!r} never talks alone in them")
    return found[: max(1, round(share * len(found)))]


def _laps(
    pool: Int[np.ndarray, " chunk"], n_wanted: int, chance: np.random.Generator
) -> Int[np.ndarray, " wanted"]:
    """So many of a pool, none again before all have come."""
    laps = [pool[chance.permutation(len(pool))] for _ in range(-(-n_wanted // len(pool)))]
    return np.concatenate(laps)[:n_wanted]
