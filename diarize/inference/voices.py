"""The voices of a recording, at three sizes, from one pass of the speaker network.

A unit is some two seconds of one local speaker alone: what clustering joins. A local voice is
all that a local speaker says in his window: what is matched with the speakers found. A glimpse is
about one second around a moment, whoever talks: it tells where a window took two people for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int, Int64

from diarize.features.segmentation import HOP_S, RATE_HZ, START_S, LocalActivity
from diarize.features.speaker import SpeakerNetwork, VoiceMask, summarise_voices
from diarize.inference.cluster import Units

ON = 0.5  # a local speaker more probable than this counts as talking
UNIT_S = 2.25
LEAST_UNIT_S = 0.3
LEAST_LOCAL_S = 0.1  # a local speaker who talks less in his window is not looked at
LEAST_SOLO_S = 0.5  # with less speech alone, overlapped speech counts as well
GLIMPSES_S = (1.0, 1.5)
GLIMPSE_HOP_S = 0.2
GLIMPSE_SPEECH = 0.35  # P(anyone talks) of the frames that a glimpse takes in
LEAST_GLIMPSE = 0.3  # share of a glimpse that must be speech


@dataclass(frozen=True)
class Voices:
    """What the speaker network heard."""

    units: Units
    local: Float[np.ndarray, "item dimension"]
    local_window: Int[np.ndarray, " item"]  # whose voices the rows of `local` are
    local_place: Int[np.ndarray, " item"]
    glimpse: tuple[Float[np.ndarray, "_ dimension"], ...]  # one array a size, not equally long
    glimpse_s: tuple[Float[np.ndarray, " _"], ...]  # their middles


def hear_voices(
    network: SpeakerNetwork,
    samples: Float[np.ndarray, " time"],
    local: LocalActivity,
    speech: Float[np.ndarray, " frame"],
    progress: Callable[[float], None] | None = None,
    features: Float16[np.ndarray, "voice_frame channel"] | None = None,
    glimpses_s: tuple[float, ...] = GLIMPSES_S,
) -> Voices:
    """The voices in audio at 16 kHz, given who talks in each window and where anyone talks.

    `features` is what `features.speaker.all_frames` found, if that was asked before; glimpses are
    of sizes `glimpses_s`.
    """
    hop_s = network.hop_samples / RATE_HZ
    units = list(_units(local, hop_s))
    locals_ = list(_locals(local, hop_s))
    glimpses = [list(_glimpses(speech, size_s, hop_s)) for size_s in glimpses_s]
    groups = [[mask for _, _, mask in kind] for kind in (units, locals_)] + glimpses
    group = np.concatenate([np.full(len(masks), at) for at, masks in enumerate(groups)])
    masks = [mask for masks in groups for mask in masks]
    order = np.argsort([mask.first for mask in masks], kind="stable")
    heard = np.zeros(len(masks), dtype=bool)
    unit = np.zeros((len(units), network.statistic), dtype=np.float64)
    embedding = np.zeros((len(masks), network.dimension), dtype=np.float32)
    in_order = [masks[place] for place in order]
    for voices, statistics in summarise_voices(network, samples, in_order, progress, features):
        places = order[voices]
        heard[places] = True
        is_unit = group[places] == 0
        unit[places[is_unit]] = statistics[torch.from_numpy(is_unit)].numpy()
        rest = torch.from_numpy(~is_unit)
        if rest.any():
            embedding[places[~is_unit]] = network.embed(statistics[rest]).numpy()
    of_units = np.flatnonzero(heard[: len(units)])
    of_locals = np.flatnonzero(heard & (group == 1)) - len(units)
    of_glimpses = [heard & (group == 2 + size) for size in range(len(glimpses_s))]
    return Voices(
        units=Units(
            statistic=unit[of_units],
            talk_s=unit[of_units, 0] * hop_s,
            window=np.array([units[at][0] for at in of_units], dtype=np.int64),
            place=np.array([units[at][1] for at in of_units], dtype=np.int64),
        ),
        local=embedding[heard & (group == 1)],
        local_window=np.array([locals_[item][0] for item in of_locals], dtype=np.int64),
        local_place=np.array([locals_[item][1] for item in of_locals], dtype=np.int64),
        glimpse=tuple(embedding[chosen] for chosen in of_glimpses),
        glimpse_s=tuple(
            np.array([masks[at].middle * hop_s for at in np.flatnonzero(chosen)])
            for chosen in of_glimpses
        ),
    )


def _solo(local: LocalActivity, window: int) -> Bool[np.ndarray, "frame local"]:
    """Where each local speaker of a window talks alone."""
    on = local.posterior[window] > ON
    return on & (on.sum(axis=1, keepdims=True) == 1)


def _units(local: LocalActivity, hop_s: float) -> Iterator[tuple[int, int, VoiceMask]]:
    """Window, place and mask of short pieces of one local speaker alone; windows tile time."""
    n_frames = local.posterior.shape[1]
    done = 0  # frames of the network that earlier windows have given
    for window in _tiling(local.first_frame, n_frames):
        first, index = _onto(local, window, hop_s)
        solo = _solo(local, window)[index]
        solo[: max(0, done - first)] = False
        for place in range(solo.shape[1]):
            frames = np.flatnonzero(solo[:, place])
            if len(frames) * hop_s < LEAST_UNIT_S:
                continue
            for part in np.array_split(frames, max(1, round(len(frames) * hop_s / UNIT_S))):
                mask = np.zeros(part[-1] + 1 - part[0], dtype=bool)
                mask[part - part[0]] = True
                yield window, place, VoiceMask(first + int(part[0]), mask)
        done = first + len(index)


def _tiling(first_frame: Int[np.ndarray, " window"], n_frames: int) -> list[int]:
    """Windows that cover the recording and overlap as little as they can."""
    tiles = [0]
    while tiles[-1] < len(first_frame) - 1:
        reach = first_frame[tiles[-1]] + n_frames
        following = int(np.searchsorted(first_frame, reach, side="right")) - 1
        tiles.append(max(following, tiles[-1] + 1))
    return tiles


def _locals(local: LocalActivity, hop_s: float) -> Iterator[tuple[int, int, VoiceMask]]:
    """Window, place and mask of every local speaker who talks at all."""
    for window in range(local.n_windows):
        on = local.posterior[window] > ON
        solo = _solo(local, window)
        first, index = _onto(local, window, hop_s)
        for place in np.flatnonzero(on.sum(axis=0) * HOP_S >= LEAST_LOCAL_S):
            chosen = solo if solo[:, place].sum() * HOP_S >= LEAST_SOLO_S else on
            yield window, int(place), VoiceMask(first, chosen[index, place])


def frame_of_each(n_voice_frames: int, hop_s: float, n_frames: int) -> Int64[np.ndarray, " voice"]:
    """The segmentation's frame in which the middle of each frame of the speaker network lies.

    `hop_s` is between the latter; there are `n_frames` of the segmentation, of which the first and
    the last reach as far as the others do.
    """
    middle_s = (np.arange(n_voice_frames) + 0.5) * hop_s
    return ((middle_s - START_S) / HOP_S).astype(np.int64).clip(0, n_frames - 1)


def _glimpses(
    speech: Float[np.ndarray, " frame"], size_s: float, hop_s: float
) -> Iterator[VoiceMask]:
    """Windows of `size_s` every 0.2 s, with their frames that hold speech."""
    n_frames = int(np.ceil((START_S + len(speech) * HOP_S) / hop_s))
    on = speech[frame_of_each(n_frames, hop_s, len(speech))] > GLIMPSE_SPEECH
    size, step = round(size_s / hop_s), round(GLIMPSE_HOP_S / hop_s)
    for first in range(0, max(1, n_frames - size // 2), step):
        mask = on[first : first + size]
        if mask.sum() >= LEAST_GLIMPSE * size:
            yield VoiceMask(first, mask)


def _onto(local: LocalActivity, window: int, hop_s: float) -> tuple[int, Int[np.ndarray, " frame"]]:
    """The window on the frames of the speaker network: its first, and which own frame each is."""
    n_frames = local.posterior.shape[1]
    first = round((float(local.first_frame[window]) * HOP_S + START_S) / hop_s)
    n_masked = round(n_frames * HOP_S / hop_s)
    index = ((np.arange(n_masked) + 0.5) * hop_s / HOP_S).astype(np.int64)
    return first, index.clip(0, n_frames - 1)
