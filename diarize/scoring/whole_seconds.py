"""Turns in whole seconds: how the authors of MS-VAE score a diarization.

Source: arXiv 2510.15669's code, evaluation of diarization, steps 4 and 5.
"""

from __future__ import annotations

import math

from pyannote.core import Annotation, Segment, Timeline

LONGEST_GAP_S = 1.0


def whole_seconds(annotation: Annotation) -> Annotation:
    """The turns with both ends rounded to whole seconds, and gaps of a second closed.

    Halves round to the even second, as Python's and numpy's rounding has it. A turn that rounds to
    nothing is gone. What speakers are called stays.

    >>> turns = Annotation()
    >>> turns[Segment(0.6, 3.2)] = turns[Segment(4.3, 6.1)] = turns[Segment(9.1, 9.4)] = "ann"
    >>> [tuple(one) for one in whole_seconds(turns).itersegments()]
    [(1, 6)]
    """
    rounded = Annotation(uri=annotation.uri)
    for label in annotation.labels():
        runs: list[list[int]] = []
        for turn in annotation.label_timeline(label).support():
            first, last = round(turn.start), round(turn.end)
            if last <= first:
                continue
            if runs and first - runs[-1][1] <= LONGEST_GAP_S:
                runs[-1][1] = max(runs[-1][1], last)
            else:
                runs.append([first, last])
        for first, last in runs:
            rounded[Segment(first, last), label] = label
    return rounded


def within_speech(found: Annotation, truth: Annotation) -> Annotation:
    """What was found, as far as somebody truly talks: an oracle of silence.

    >>> truth, found = Annotation(), Annotation()
    >>> truth[Segment(1, 2)] = "ann"
    >>> found[Segment(0, 5)] = "speaker 1"
    >>> [tuple(one) for one in within_speech(found, truth).itersegments()]
    [(1, 2)]
    """
    return found.crop(truth.get_timeline().support(), mode="intersection")


def whole_extent(duration_s: float, recording: str) -> Timeline:
    """All of a recording, in whole seconds."""
    return Timeline([Segment(0, math.ceil(duration_s))], uri=recording)
