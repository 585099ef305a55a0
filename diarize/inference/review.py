"""Which turns are most worth a listen: where a result is likely wrong, and by how many seconds.

In a frame, let F be the sum of `1 - q` over the speakers written there, and M the sum of `q` over
those that are not, `q` being the posterior. DER counts `max(true, written) - right` speakers in a
frame; of that, `max(F, M)` is expected at least (Jensen), and exactly that where it is certain
whether more or fewer talk than are written. F is laid to the turns; what M has beyond F was missed.
The figures are as good as the posterior is calibrated; their order asks less of it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from pyannote.core import Annotation, Timeline

from diarize.audio.frames import FrameGrid, runs
from diarize.errors import BadCall
from diarize.formats.activity import Activity

FALSE_ALARM, MISSED, WHO = "false alarm", "missed", "who"
IN_DOUBT = 0.1  # a frame from which less than that was missed begins no stretch
BRIDGED_S = 0.3  # stretches nearer than that are listened to as one
WORST_S = 1.0  # how long the worst moment is


@dataclass(frozen=True)
class Doubt:
    """A turn that may be wrong, or a stretch in which a turn may be missing.

    `kind` is "false alarm" (nobody else is likely either), "who" (most of the doubt is that
    `other` was talking instead), or "missed" (`speaker` was probably talking, and was not
    written; `other` was written there, None is nobody). Probabilities are means of the posterior.
    """

    kind: str
    start_s: float
    end_s: float
    worst_s: float  # the middle of the second with the most of it
    speaker: str
    probability: float
    other: str | None
    other_probability: float | None
    expected_s: float  # of error that listening would mend


@dataclass(frozen=True)
class Review:
    """What is worth a listen, the greatest gain first, of how much expected error in all."""

    doubts: tuple[Doubt, ...]
    n_found: int  # how many there are, with those left out at the end of the list
    expected_s: float  # of error in the whole

    @property
    def listed_s(self) -> float:
        """How much of the expected error the list holds, in seconds."""
        return sum((doubt.expected_s for doubt in self.doubts), 0.0)

    @property
    def listed_share(self) -> float:
        """The same as a share, 1 where there is none to hold."""
        return self.listed_s / self.expected_s if self.expected_s > 0 else 1.0


def review(
    activity: Activity,
    annotation: Annotation,
    regions: Timeline | None = None,
    top: int | None = None,
) -> Review:
    """What is most worth a listen in `annotation`, given how probable everybody is.

    Turns of one speaker that touch or overlap count as one. With `regions`, as of a UEM file,
    only what lies in them counts. `top` is how many are listed, None all.

    Raises:
        BadCall: a `top` below one, or a speaker of whom the posterior says nothing.

    >>> from pyannote.core import Segment
    >>> turns = Annotation()
    >>> turns[Segment(0, 4)] = "ann"
    >>> posterior = np.array([[0.5, 0.5], [0.5, 0.25]])
    >>> found = review(Activity(posterior, 2.0, ("ann", "bob")), turns)
    >>> found.doubts[0].kind, found.doubts[0].other, found.expected_s
    ('who', 'bob', 2.0)
    """
    if top is not None and top < 1:
        raise BadCall(f"top is {top}; a list holds at least 1")
    if unknown := sorted(set(map(str, annotation.labels())) - set(activity.speakers)):
        known = ", ".join(activity.speakers) or "nobody"
        raise BadCall(f"turns of {unknown[0]!r}, but the posterior is of {known}")
    desk = _Desk(activity, annotation, regions)
    doubts = [*desk.turns(), *desk.missed()]
    doubts.sort(key=lambda doubt: (-doubt.expected_s, doubt.start_s, doubt.speaker))
    return Review(tuple(doubts[:top]), len(doubts), desk.expected_s())


class _Desk:
    """All that is compared, frame by frame."""

    def __init__(
        self, activity: Activity, annotation: Annotation, regions: Timeline | None
    ) -> None:
        self.names = activity.speakers
        self.grid = FrameGrid(activity.hop_s, activity.n_frames, activity.start_s)
        self.posterior = np.clip(activity.posterior, 0.0, 1.0)
        if regions is not None:
            annotation = annotation.crop(regions.support())
            inside = self.grid.active([(float(one.start), float(one.end)) for one in regions])
            self.posterior = self.posterior * inside
        self.spoken = [  # by speaker: spans in seconds
            [
                (float(one.start), float(one.end))
                for one in annotation.label_timeline(label).support()
            ]
            for label in self._labels(annotation)
        ]
        self.written = np.zeros(self.posterior.shape, bool)
        for row, spans in zip(self.written, self.spoken, strict=True):
            row[:] = self.grid.active(spans)
        wrong = (self.written * (1 - self.posterior)).sum(axis=0)
        unwritten = (~self.written * self.posterior).sum(axis=0)
        self.beyond = np.maximum(unwritten - wrong, 0.0)  # missed, and by nobody's turn explained
        self.error = np.maximum(unwritten, wrong)

    def _labels(self, annotation: Annotation) -> list[Hashable]:
        labels = {str(label): label for label in annotation.labels()}
        return [labels.get(name, name) for name in self.names]

    def expected_s(self) -> float:
        return float(self.error.sum()) * self.grid.hop_s

    def turns(self) -> list[Doubt]:
        found = []
        for speaker, spans in enumerate(self.spoken):
            for start_s, end_s in spans:
                at = self.grid.span(start_s, end_s)
                if at.stop > at.start:
                    found.append(self._turn(speaker, at, start_s, end_s))
        return [doubt for doubt in found if doubt.expected_s > 0]

    def _turn(self, speaker: int, at: slice, start_s: float, end_s: float) -> Doubt:
        own, free = self.posterior[speaker, at], ~self.written[:, at]
        doubt = 1 - own
        instead = (np.minimum(doubt, self.posterior[:, at]) * free).sum(axis=1)
        rival = int(instead.argmax())
        is_who = bool(instead[rival] > 0.5 * doubt.sum())
        return Doubt(
            kind=WHO if is_who else FALSE_ALARM,
            start_s=start_s,
            end_s=end_s,
            worst_s=self._worst_s(doubt, at),
            speaker=self.names[speaker],
            probability=float(own.mean()),
            other=self.names[rival] if is_who else None,
            other_probability=self._mean(rival, at, free[rival]) if is_who else None,
            expected_s=float(doubt.sum()) * self.grid.hop_s,
        )

    def missed(self) -> list[Doubt]:
        found: list[tuple[int, int]] = []
        for first, last in runs(self.beyond >= IN_DOUBT).tolist():
            if found and (first - found[-1][1]) * self.grid.hop_s < BRIDGED_S:
                found[-1] = (found[-1][0], last)
            else:
                found.append((first, last))
        return [self._missed(slice(first, last)) for first, last in found]

    def _missed(self, at: slice) -> Doubt:
        free = ~self.written[:, at]
        speaker = int((self.posterior[:, at] * free).sum(axis=1).argmax())
        there = self.written[:, at].mean(axis=1)
        beside = int(there.argmax()) if there.max() > 0.5 else None
        return Doubt(
            kind=MISSED,
            start_s=self.grid.start_s + at.start * self.grid.hop_s,
            end_s=self.grid.start_s + at.stop * self.grid.hop_s,
            worst_s=self._worst_s(self.beyond[at], at),
            speaker=self.names[speaker],
            probability=self._mean(speaker, at, free[speaker]),
            other=None if beside is None else self.names[beside],
            other_probability=None if beside is None else self._mean(beside, at),
            expected_s=float(self.beyond[at].sum()) * self.grid.hop_s,
        )

    def _mean(
        self, speaker: int, at: slice, where: Bool[np.ndarray, " frame"] | None = None
    ) -> float:
        values = self.posterior[speaker, at]
        return float((values if where is None else values[where]).mean())

    def _worst_s(self, doubt: Float[np.ndarray, " frame"], at: slice) -> float:
        n_frames = min(len(doubt), max(1, round(WORST_S / self.grid.hop_s)))
        sums = np.convolve(doubt, np.ones(n_frames), "valid")
        middle = at.start + int(sums.argmax()) + n_frames / 2
        return self.grid.start_s + middle * self.grid.hop_s
