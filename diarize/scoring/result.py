"""Scores of recordings and of all together, under one or several conventions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyannote.core import Segment, Timeline

from diarize.errors import BadCall
from diarize.scoring.bootstrap import Interval, ratio_interval
from diarize.scoring.calibration import Calibration, calibration, together
from diarize.scoring.correlation import speaker_correlations
from diarize.scoring.diarization import DiarizationErrorRate, JaccardErrorRate, extent_of
from diarize.scoring.pairing import Pair
from diarize.scoring.speech import SpeakerCount, correct_share, missed_speech_rate
from diarize.scoring.sweep import optimal_pairs, sweep
from diarize.scoring.turns import regions_of


@dataclass(frozen=True)
class Convention:
    """What is left out of a score; `collar_s` is a total width, as in pyannote.metrics."""

    name: str
    collar_s: float
    skip_overlap: bool


FULL = Convention("full", 0.0, False)
FAIR = Convention("fair", 0.5, False)
FORGIVING = Convention("forgiving", 0.5, True)
CONVENTIONS = (FULL, FAIR, FORGIVING)
_PARTS = ("total", "missed detection", "false alarm", "confusion", "correct")


@dataclass(frozen=True)
class Rates:
    """Seconds of reference speech and of each kind of error under a convention, and the rates."""

    total_s: float
    missed_s: float
    false_alarm_s: float
    confusion_s: float
    correct_s: float
    der: float
    jer: float

    @property
    def missed(self) -> float:
        """The missed-speech rate, 0 to 1."""
        return missed_speech_rate({"missed detection": self.missed_s, "total": self.total_s})

    @property
    def correct(self) -> float:
        """The share of reference speech given to the right speaker, 0 to 1."""
        return correct_share({"correct": self.correct_s, "total": self.total_s})

    @property
    def false_alarm(self) -> float:
        """False alarm over reference speech, 0 or more; NaN where nobody speaks."""
        return self.false_alarm_s / self.total_s if self.total_s else math.nan

    @property
    def confusion(self) -> float:
        """The share of reference speech given to the wrong speaker, 0 to 1."""
        return self.confusion_s / self.total_s if self.total_s else math.nan


@dataclass(frozen=True)
class RecordingScore:
    """One recording: rates by convention, speakers counted, correlation by reference speaker.

    `from_posterior` says whether the correlations are with a posterior or with 0/1 activity.
    `calibration` is that of the posterior; None where there is none.
    """

    recording: str
    rates: Mapping[str, Rates]
    count: SpeakerCount
    correlations: Mapping[str, float]
    from_posterior: bool = False
    calibration: Calibration | None = None

    @property
    def correlation(self) -> float:
        """The mean over reference speakers; NaN where there are none."""
        return _mean(list(self.correlations.values()))


@dataclass(frozen=True)
class Score:
    """All recordings, and all together: sums of times over sums of times, not means of rates.

    `der_interval` and `jer_interval` hold 95 % bootstrap intervals over recordings, by
    convention; None where there are fewer than two recordings.
    """

    recordings: tuple[RecordingScore, ...]
    rates: Mapping[str, Rates]
    der_interval: Mapping[str, Interval | None]
    jer_interval: Mapping[str, Interval | None]

    @property
    def counts(self) -> list[SpeakerCount]:
        """The speaker count of each recording."""
        return [recording.count for recording in self.recordings]

    @property
    def correlation(self) -> float:
        """The mean over the reference speakers of all recordings; NaN where there are none."""
        return _mean([value for one in self.recordings for value in one.correlations.values()])

    @property
    def calibration(self) -> Calibration | None:
        """That of all recordings with a posterior, frame by frame; None where there are none."""
        parts = [one.calibration for one in self.recordings if one.calibration is not None]
        return together(parts) if parts else None


def score(
    pairs: Sequence[Pair], conventions: Sequence[Convention] = CONVENTIONS, seed: int = 0
) -> Score:
    """Return how right the hypotheses are, by recording and together.

    A pair without `uem` is scored over the extent of both of its sides, as pyannote.metrics
    does. Speaker counts, correlations and calibrations are taken in the scored regions without a
    collar and with overlap, whatever the conventions.

    Raises:
        BadCall: there is nothing to score, or a recording comes twice.
    """
    names = [pair.recording for pair in pairs]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        raise BadCall(
            f"found the recording {twice!r} twice; score each once"
            if twice is not None
            else "found no recordings; there must be one to score"
        )
    rates: dict[str, Rates] = {}
    of_pair: list[dict[str, Rates]] = [{} for _ in pairs]
    der_interval: dict[str, Interval | None] = {}
    jer_interval: dict[str, Interval | None] = {}
    for convention in conventions:
        name = convention.name
        collar, skip_overlap = convention.collar_s, convention.skip_overlap
        der = DiarizationErrorRate(collar=collar, skip_overlap=skip_overlap)
        jer = JaccardErrorRate(collar=collar, skip_overlap=skip_overlap)
        for pair, found in zip(pairs, of_pair, strict=True):
            found[name] = _rates(pair, der, jer)
        rates[name] = _together(der, jer)
        der_interval[name], jer_interval[name] = _intervals(der, jer, seed)
    recordings = tuple(_recording(pair, found) for pair, found in zip(pairs, of_pair, strict=True))
    return Score(recordings, rates, der_interval, jer_interval)


def _rates(pair: Pair, der: DiarizationErrorRate, jer: JaccardErrorRate) -> Rates:
    options = {"uri": pair.recording, "uem": _scored(pair)}
    found = der(*pair.turns, detailed=True, **options)
    jaccard = jer(*pair.turns, **options)
    return _as_rates(found, found[der.name], jaccard)


def _together(der: DiarizationErrorRate, jer: JaccardErrorRate) -> Rates:
    return _as_rates(der.accumulated_, abs(der), abs(jer))


def _as_rates(parts: Mapping[str, float], der: float, jer: float) -> Rates:
    total_s, missed_s, false_alarm_s, confusion_s, correct_s = (parts[name] for name in _PARTS)
    return Rates(total_s, missed_s, false_alarm_s, confusion_s, correct_s, float(der), float(jer))


def _intervals(
    der: DiarizationErrorRate, jer: JaccardErrorRate, seed: int
) -> tuple[Interval | None, Interval | None]:
    generator = np.random.default_rng(seed)
    intervals = []
    for metric, errors, total in (
        (der, ("missed detection", "false alarm", "confusion"), "total"),
        (jer, ("speaker error",), "speaker count"),
    ):
        error = np.array([sum(found[name] for name in errors) for _, found in metric])
        totals = np.array([found[total] for _, found in metric])
        intervals.append(ratio_interval(error, totals, generator))
    return intervals[0], intervals[1]


def _recording(pair: Pair, rates: Mapping[str, Rates]) -> RecordingScore:
    reference, hypothesis = pair.turns
    regions_s = regions_of(_scored(pair))
    counted = sweep(reference, hypothesis, regions_s)
    mapping = {
        hypothesis.speakers[found]: reference.speakers[truth]
        for truth, found in optimal_pairs(counted).tolist()
    }
    posterior = pair.posterior
    correlations = speaker_correlations(reference, hypothesis, regions_s, mapping, posterior)
    calibrated = None
    if posterior is not None:
        calibrated = calibration(reference, posterior, regions_s, mapping)
    count = SpeakerCount(
        int((counted.reference_s > 0).sum()), int((counted.hypothesis_s > 0).sum())
    )
    heard = {str(label): value for label, value in correlations.items()}
    return RecordingScore(pair.recording, rates, count, heard, posterior is not None, calibrated)


def _scored(pair: Pair) -> Timeline:
    if pair.uem is not None:
        return pair.uem
    extent_s = extent_of(*pair.turns)
    return Timeline([Segment(*region) for region in extent_s.tolist()], uri=pair.recording)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
