"""Names for components that have none: which instrument each is, and how probable that is."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32

from diarize.audio.resample import resample
from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import Tracks
from diarize.models.baselines.instrument_classifier import MIXED, InstrumentClassifier
from diarize.training.shipped import load_model
from diarize.weights import named_weights

DEFAULT_MODEL = "instruments"
LEAST_PROBABILITY = 0.8  # of names given on validation songs none was wrong
SILENT_DB = -50.0  # of the sum of all components: what is softer is no sound to name
SOFT_DB = 20.0  # below a component's loudest window, where its windows are no longer asked
_FAINTEST = 1e-12


@dataclass(frozen=True)
class Name:
    """What a component is called, and why.

    Attributes:
        label: the name of an instrument if that is probable enough, else the component's own name.
        best: the likeliest instrument; None of a component that is silent, or likelier a mixture.
        probability: of `best`; of a mixture, that of being one; NaN of silence.
        probabilities: of each class, "mixed" among them; empty of silence.
        level_db: of the component, relative to the sum of all.
        n_windows: how many windows were asked.
    """

    label: str
    best: str | None
    probability: float
    probabilities: Mapping[str, float]
    level_db: float
    n_windows: int

    @property
    def told(self) -> str:
        """A few words, such as "drums 93 %"."""
        if not self.n_windows:
            return f"silent ({self.level_db:.0f} dB of the mixture)"
        return f"{self.best or MIXED} {100 * self.probability:.0f} %"

    def facts(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        found = dataclasses.asdict(self)
        probability = None if np.isnan(self.probability) else round(self.probability, 4)
        rounded = {name: round(one, 4) for name, one in self.probabilities.items()}
        level_db = round(self.level_db, 1)
        own = {"probability": probability, "probabilities": rounded, "level_db": level_db}
        return found | own | {"told": self.told}


def name_components(
    tracks: Tracks,
    model: Path | str | InstrumentClassifier = DEFAULT_MODEL,
    least_probability: float = LEAST_PROBABILITY,
) -> list[Name]:
    """A name for each component of a song, in the order of `tracks`.

    The probability is the mean over windows in which the component sounds. A component is called by
    an instrument only if that is at least `least_probability` likely: else it keeps its own name.
    Two components may have one name, as kick and cymbals would.

    Raises:
        BadCall: a probability that is none.
        BadFile: weights that cannot be used.
        MissingWeights: none are there.
    """
    if not 0 < least_probability <= 1:
        raise BadCall(f"least_probability = {least_probability}; expected above 0, up to 1")
    judge = model if isinstance(model, InstrumentClassifier) else load_classifier(model)
    whole = _power(_total(tracks))
    return [
        _named(name, samples, tracks.rate_hz, whole, judge, least_probability)
        for name, samples in tracks.samples.items()
    ]


@functools.cache
def load_classifier(weights: Path | str = DEFAULT_MODEL) -> InstrumentClassifier:
    """The classifier in a file of trained weights, or in those of a known name, loaded once.

    Raises:
        BadFile: they are of something else.
        MissingWeights: they are nowhere.
    """
    path = named_weights(weights)
    model: Any = load_model(path)
    if not isinstance(model, InstrumentClassifier):
        raise BadFile(f"{path}: a {type(model).__name__}; expected an instrument_classifier")
    return model.eval()


def sounding_windows(
    samples: Float32[np.ndarray, "channel time"], rate_hz: int, judge: InstrumentClassifier
) -> Float32[np.ndarray, "window sample"]:
    """The windows of a component that its classifier is asked about: those near its loudest.

    At the classifier's rate, channels in one, side by side; a last one that is short is left out
    unless it is the only one.
    """
    mono = samples.mean(axis=0)
    if rate_hz != judge.rate_hz:
        mono = resample(mono, rate_hz, judge.rate_hz)
    size = round(judge.window_s * judge.rate_hz)
    if len(mono) < size:
        mono = np.pad(mono, (0, size - len(mono)))
    windows = mono[: len(mono) // size * size].reshape(-1, size)
    power = np.square(windows, dtype=np.float64).mean(axis=1)
    return np.ascontiguousarray(windows[power > power.max() * 10 ** (-SOFT_DB / 10)])


def _named(
    name: str,
    samples: Float32[np.ndarray, "channel time"],
    rate_hz: int,
    whole: float,
    judge: InstrumentClassifier,
    least: float,
) -> Name:
    level_db = 10 * float(np.log10((_power(samples) + _FAINTEST) / (whole + _FAINTEST)))
    if level_db < SILENT_DB or not whole:
        return Name(name, None, float("nan"), {}, level_db, 0)
    windows = sounding_windows(samples, rate_hz, judge)
    told: Float[np.ndarray, " class"] = (
        judge.classify(torch.from_numpy(windows)).double().mean(0).numpy()
    )
    probabilities = dict(zip(judge.classes, told.tolist(), strict=True))
    likeliest = max(probabilities, key=probabilities.__getitem__)
    best = None if likeliest == MIXED else likeliest
    probability = probabilities[likeliest]
    label = best if best is not None and probability >= least else name
    return Name(label, best, probability, probabilities, level_db, len(windows))


def _total(tracks: Tracks) -> Float32[np.ndarray, "channel time"]:
    silence = np.zeros((1, 1), np.float32)
    return sum(tracks.samples.values(), start=silence)


def _power(samples: Float32[np.ndarray, "*channel time"]) -> float:
    return float(np.square(samples, dtype=np.float64).sum())
