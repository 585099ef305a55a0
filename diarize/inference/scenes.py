"""Scenes for the speech MS-VAE, out of what was heard of a recording and who may talk there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diarize.corpora.batch import Scenes
from diarize.features.segmentation import HOP_S, START_S
from diarize.inference.hearing import AROUND_HOP_S, Heard
from diarize.inference.stitch import NOBODY, match_windows, overlap_add

ON_FRAMES = ("inputs", "context", "mel", "activity", "similarity", "local", "patterns")
OF_SPEAKERS = ("profile", "heard_s", "is_there", "places", "places_s", "owner")


@dataclass(frozen=True)
class Cast:
    """Who may talk in a recording.

    Attributes:
        profile: the voice of each, of unit length.
        heard_s: seconds of speech that each profile rests on.
        local: how much the segmentation's windows say that each talks, 0 to 1.
    """

    profile: Float[np.ndarray, "speaker dimension"]
    heard_s: Float[np.ndarray, " speaker"]
    local: Float[np.ndarray, "speaker frame"]

    def __len__(self) -> int:
        return len(self.profile)

    def only(self, chosen: Int[np.ndarray, " some"] | Bool[np.ndarray, " speaker"]) -> Cast:
        """The same with some of them; what the windows say is as it was with all."""
        return Cast(self.profile[chosen], self.heard_s[chosen], self.local[chosen])


def cast_of(
    heard: Heard,
    profile: Float[np.ndarray, "speaker dimension"],
    heard_s: Float[np.ndarray, " speaker"],
) -> Cast:
    """The cast with these profiles, each local speaker of a window being one of them or nobody."""
    local, voices = heard.local, heard.voices
    place = np.full(local.posterior.shape[::2], NOBODY)
    if len(profile) and len(voices.local):
        found = match_windows(voices.local @ profile.T, voices.local_window)
        place[voices.local_window, voices.local_place] = found
    added = overlap_add(local, place, len(profile))
    return Cast(profile.astype(np.float32), heard_s.astype(np.float32), added.posterior)


def scene(heard: Heard, cast: Cast, first: int, end: int, pause_s: float) -> Scenes:
    """Frames `first` to `end` as a batch of one; the last one twice if their number is odd."""
    n_frames, n_even = end - first, end - first + (end - first) % 2
    middle_s = START_S + (np.arange(first, end) + 0.5) * HOP_S
    index = (middle_s / heard.voice_hop_s).astype(np.int64).clip(0, len(heard.voice) - 1)
    activity = np.stack([heard.speech[first:end], heard.overlap[first:end]], axis=1)
    context = heard.local.context
    if context is None:  # which a model may do without
        context = np.zeros((heard.n_frames, 0), np.float16)
    found = {
        "inputs": heard.voice[index],
        "context": context[first:end],
        "mel": heard.mel[first:end],
        "activity": activity,
        "similarity": similarity_around(heard, cast.profile, middle_s),
        "local": cast.local[:, first:end].T,
    }
    rows = {name: _padded(values, n_even) for name, values in found.items()}
    return Scenes(
        **rows,
        typical=torch.from_numpy(heard.typical)[None],
        profile=torch.from_numpy(cast.profile)[None],
        heard_s=torch.from_numpy(cast.heard_s)[None],
        is_there=torch.ones(1, len(cast), dtype=torch.bool),
        is_frame=(torch.arange(n_even) < n_frames)[None],
        pause_s=torch.tensor([pause_s]),
    )


def similarity_around(
    heard: Heard, profile: Float[np.ndarray, "speaker dimension"], at_s: Float[np.ndarray, " frame"]
) -> Float[np.ndarray, "frame speaker size"]:
    """Cosine of each profile with the voice around each time, between moments straight lines."""
    n_moments = heard.around.shape[1]
    place = ((at_s - heard.first_around_s) / AROUND_HOP_S).clip(0, max(0, n_moments - 1.001))
    low = place.astype(np.int64)
    share = (place - low)[:, None]
    first, last = int(low[0]), min(int(low[-1]) + 1, n_moments - 1)
    sizes = []
    for around in heard.around[:, first : last + 1].astype(np.float32):
        cosine = around @ profile.T
        after = np.minimum(low - first + 1, last - first)
        sizes.append(cosine[low - first] * (1 - share) + cosine[after] * share)
    return np.stack(sizes, axis=2).astype(np.float32)


def together(scenes: Sequence[Scenes]) -> Scenes:
    """Several batches as one: shorter scenes are filled up with frames that are none, smaller casts
    with speakers who are not there.

    Known patterns are kept if all have them.
    """
    n_frames = max(one.mel.shape[1] for one in scenes)
    n_speakers = max(1, max(one.profile.shape[1] for one in scenes))
    filled = [_filled(one, n_frames, n_speakers) for one in scenes]
    joined: dict[str, Any] = {}
    for field in fields(Scenes):
        values = [getattr(one, field.name) for one in filled]
        known = all(value is not None for value in values)
        joined[field.name] = torch.cat(values) if known else None
    return Scenes(**joined)


def _filled(one: Scenes, n_frames: int, n_speakers: int) -> Scenes:
    more_frames = n_frames - one.mel.shape[1]
    more_speakers = n_speakers - one.profile.shape[1]
    changed: dict[str, Tensor] = {}
    for name in (*ON_FRAMES, "is_frame"):
        values = getattr(one, name)
        if values is None:
            continue
        if name in ("similarity", "local", "patterns"):
            values = _grown(values, 2, more_speakers)
        changed[name] = _grown(values, 1, more_frames)
    for name in OF_SPEAKERS:
        values = getattr(one, name)
        if values is not None:
            changed[name] = _grown(values, 1, more_speakers, -1 if name == "owner" else 0)
    return replace(one, **changed)


def _grown(values: Tensor, axis: int, more: int, filling: int = 0) -> Tensor:
    if not more:
        return values
    shape = list(values.shape)
    shape[axis] = more
    return torch.cat([values, values.new_full(shape, filling)], dim=axis)


def _padded(values: Float[np.ndarray, "frame ..."], n_frames: int) -> Tensor:
    more = [(0, n_frames - len(values))] + [(0, 0)] * (values.ndim - 1)
    filled = np.pad(values.astype(np.float32), more, mode="edge")  # as zeros, mel would be loud
    return torch.from_numpy(filled)[None]
