"""From probabilities to turns: which speakers are on in a frame, and where turns begin and end."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from pyannote.core import Annotation, Segment

from diarize.audio.frames import FrameGrid, runs
from diarize.inference.stitch import Stitched
from diarize.models.contract import Activity

FAINTEST = 0.02  # P(a speaker talks) below which he is nowhere, even if he must be somewhere
NEARLY = 0.7  # of the most


@dataclass(frozen=True)
class TurnSettings:
    """When a speaker counts as talking, and how ragged turns are smoothed."""

    speech_threshold: float = 0.37  # P(anyone talks) from which somebody is on
    overlap_threshold: float = 0.33  # P(two talk) from which the second speaker is on too
    speaker_floor: float = 0.02  # a speaker less probable than this is never on
    shortest_gap_s: float = 0.1  # a shorter pause of one speaker is talked over
    shortest_turn_s: float = 0.05  # a shorter turn is dropped


@dataclass(frozen=True)
class Turns:
    """Who spoke when, and how sure each turn is."""

    annotation: Annotation
    probability: dict[tuple[Segment, Hashable], float]  # mean frame posterior of the turn


def active_speakers(
    stitched: Stitched, settings: TurnSettings, exclusive: bool = False
) -> Bool[np.ndarray, "speaker frame"]:
    """Which speakers are on: none, the most probable one, or the two most probable ones.

    How many is decided by the probabilities of speech and of overlap, which the windows agree on
    whatever the speakers' names; who, by the posterior of each. Deciding the two apart keeps a
    frame in which it is clear that somebody talks, but not who, from being missed.
    With `exclusive` there is never more than one.
    """
    posterior = stitched.posterior
    active = np.zeros(posterior.shape, dtype=bool)
    if not len(posterior):
        return active
    some = stitched.speech > settings.speech_threshold
    two = some & (stitched.overlap > settings.overlap_threshold)
    ranked = np.argsort(-posterior, axis=0, kind="stable")
    frames = np.arange(posterior.shape[1])
    active[ranked[0], frames] = some
    if len(posterior) > 1 and not exclusive:
        active[ranked[1], frames] = two
    return active & (posterior > settings.speaker_floor)


def talking(
    presence: Float[np.ndarray, "speaker frame"],
    threshold: float,
    exclusive: bool = False,
    least: int = 1,
) -> Bool[np.ndarray, "speaker frame"]:
    """Which speakers are on: those more probable than `threshold`; with `exclusive` but the best.

    If fewer than `least` ever are, those who come next are on where they are at their most
    probable, for they are known to be there; but not who never is likelier than one in fifty.

    >>> talking(np.array([[0.9, 0.2], [0.6, 0.1]]), 0.5).tolist()
    [[True, False], [True, False]]
    >>> talking(np.array([[0.9, 0.2], [0.1, 0.3]]), 0.5, least=2).tolist()
    [[True, False], [False, True]]
    """
    active = presence > threshold
    if exclusive and len(presence):
        active &= np.arange(len(presence))[:, None] == presence.argmax(axis=0)
    most = presence.max(axis=1, initial=0.0)
    silent = np.flatnonzero(~active.any(axis=1) & (most > FAINTEST))
    wanted = max(0, least - int(active.any(axis=1).sum()))
    for speaker in silent[np.argsort(-most[silent], kind="stable")][:wanted]:
        active[speaker] = presence[speaker] > NEARLY * most[speaker]
        if exclusive:
            active[np.arange(len(active)) != speaker] &= ~active[speaker]
    return active


def to_turns(
    activity: Activity,
    active: Bool[np.ndarray, "speaker frame"],
    settings: TurnSettings,
    duration_s: float,
    recording: str,
    exclusive: bool = False,
) -> Turns:
    """Turns of every speaker, inside `[0, duration_s]`, with the mean posterior of each.

    A turn that holds the first or the last frame reaches the edge of the recording. With
    `exclusive`, a pause in which somebody else talks is not talked over, however short.
    """
    annotation = Annotation(uri=recording)
    probability: dict[tuple[Segment, Hashable], float] = {}
    grid = FrameGrid(activity.hop_s, activity.n_frames, activity.start_s)
    taken = active if exclusive else np.zeros_like(active)
    for speaker, name in enumerate(activity.speakers):
        for first, last in _smooth(active[speaker], taken, activity.hop_s, settings):
            start_s = 0.0 if first == 0 else grid.start_s + first * grid.hop_s
            end_s = grid.start_s + last * grid.hop_s
            end_s = duration_s if last == grid.n_frames else min(end_s, duration_s)
            segment = Segment(round(start_s, 3), round(end_s, 3))
            if not segment or segment.duration < settings.shortest_turn_s:
                continue  # empty: its one frame lies in the silence that was added
            annotation[segment, name] = name
            mean = float(activity.posterior[speaker, first:last].mean())
            probability[segment, name] = mean
    return Turns(annotation, probability)


def _smooth(
    active: Bool[np.ndarray, " frame"],
    taken: Bool[np.ndarray, "speaker frame"],
    hop_s: float,
    settings: TurnSettings,
) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of each turn, short gaps closed if not taken."""
    turns: list[tuple[int, int]] = []
    for first, last in runs(active).tolist():
        before = turns[-1][1] if turns else 0
        short = (first - before) * hop_s < settings.shortest_gap_s
        if turns and short and not taken[:, before:first].any():
            turns[-1] = (turns[-1][0], last)
        else:
            turns.append((first, last))
    return turns
