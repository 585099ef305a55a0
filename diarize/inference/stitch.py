"""From windows to a recording: the same speaker over windows, and everybody's activity added up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from diarize.features.segmentation import HOP_S, START_S, LocalActivity

NOBODY = -1


@dataclass(frozen=True)
class Stitched:
    """Overlap-added windows: frames of the whole recording, on the grid of the segmentation."""

    posterior: Float[np.ndarray, "speaker frame"]  # P(this speaker talks)
    speech: Float[np.ndarray, " frame"]  # P(anyone talks)
    overlap: Float[np.ndarray, " frame"]  # P(two talk)


@dataclass(frozen=True)
class BlendSettings:
    """How much the windows count against the voices, and how sharp a voice's verdict is."""

    window_weight: float = 0.4
    sharpness: float = 10.0


def match_windows(
    similarity: Float[np.ndarray, "item speaker"], window: Int[np.ndarray, " item"]
) -> Int[np.ndarray, " item"]:
    """The speaker of each item (a local speaker of a window), at most one item a speaker a window.

    Within a window the pairing has the greatest summed similarity; an item that finds no free
    speaker gets `NOBODY`.

    >>> match_windows(np.array([[0.9, 0.8], [0.8, 0.1]]), np.array([0, 0]))
    array([1, 0])
    """
    speaker = np.full(len(window), NOBODY)
    order = np.argsort(window, kind="stable")
    edges = np.flatnonzero(np.diff(window[order])) + 1
    for items in np.split(order, edges):
        rows, columns = linear_sum_assignment(-similarity[items])
        speaker[items[rows]] = columns
    return speaker


def overlap_add(
    local: LocalActivity, speaker: Int[np.ndarray, "window local"], n_speakers: int
) -> Stitched:
    """Posterior of every speaker in every frame, from windows whose local speakers have names.

    `speaker[w, l]` is who local speaker `l` of window `w` is, or `NOBODY`. Windows overlap; frames
    near the middle of a window count most (a Hamming taper), for the network sees more around them.
    """
    n_window_frames = local.posterior.shape[1]
    n_frames = int(local.first_frame[-1]) + n_window_frames
    taper = np.hamming(n_window_frames).astype(np.float32)
    posterior = np.zeros((n_speakers, n_frames), dtype=np.float32)
    speech, overlap, weight = (np.zeros(n_frames, dtype=np.float32) for _ in range(3))
    for window, first in enumerate(local.first_frame):
        here = slice(first, first + n_window_frames)
        weight[here] += taper
        speech[here] += taper * local.speech[window]
        overlap[here] += taper * local.overlap[window]
        for place, name in enumerate(speaker[window]):
            if name != NOBODY:
                posterior[name, here] += taper * local.posterior[window, :, place]
    keep = slice(0, local.n_frames)
    return Stitched(
        posterior=np.clip(posterior / weight, 0, 1)[:, keep],
        speech=np.clip(speech / weight, 0, 1)[keep],
        overlap=np.clip(overlap / weight, 0, 1)[keep],
    )


def similarity_over_time(
    glimpse: tuple[Float[np.ndarray, "_ dimension"], ...],
    glimpse_s: tuple[Float[np.ndarray, " _"], ...],
    speakers: Float[np.ndarray, "speaker dimension"],
    n_frames: int,
) -> Float[np.ndarray, "speaker frame"]:
    """Cosine of each speaker with the glimpse nearest to each frame, mean over glimpse sizes.

    There is one array a size, and not as many glimpses in each; `glimpse_s` are their middles. A
    size without glimpses says nothing; if none has any, all is 0.
    """
    total = np.zeros((len(speakers), n_frames), dtype=np.float32)
    sizes = [pair for pair in zip(glimpse, glimpse_s, strict=True) if len(pair[1])]
    middle_s = START_S + (np.arange(n_frames) + 0.5) * HOP_S
    for embedding, at_s in sizes:
        between = (at_s[1:] + at_s[:-1]) / 2
        nearest = np.searchsorted(between, middle_s)
        total += (speakers @ embedding.T)[:, nearest] / len(sizes)
    return total


def blend(
    stitched: Stitched, similarity: Float[np.ndarray, "speaker frame"], settings: BlendSettings
) -> Stitched:
    """The stitched posterior, mixed with what the voices themselves say of who it is.

    Where a window took two people for one, its local speaker carries one name throughout; the
    voice heard around the frame does not. Its part is a softmax over the speakers, times the
    probability that anyone talks.
    """
    if not len(similarity):
        return stitched
    evidence = np.exp(settings.sharpness * (similarity - similarity.max(axis=0)))
    heard = evidence / evidence.sum(axis=0) * stitched.speech
    windows = settings.window_weight
    return replace(stitched, posterior=windows * stitched.posterior + (1 - windows) * heard)
