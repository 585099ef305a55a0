"""One number that makes the probabilities of names mean what they say, fitted to true stems.

Source: C. Guo and others, "On Calibration of Modern Neural Networks", ICML 2017, section 4.2:
temperature scaling. There it is of single decisions; here of components, whose probability is the
mean over their windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diarize.errors import BadFile
from diarize.formats.tracks import find_tracks, read_samples
from diarize.inference.component_names import load_classifier, sounding_windows
from diarize.inference.name_scores import PLAYING_RMS
from diarize.models.baselines.instrument_classifier import InstrumentClassifier
from diarize.training.shipped import describe

LOWEST, HIGHEST, N_TRIED = 0.1, 10.0, 401  # temperatures that are tried, each 1.2 % above the last
Heard = tuple[Float[Tensor, "_window class"], int]  # a component's scores, and what it truly is


def calibrated(weights: Path, stems: Path) -> dict[str, Any]:
    """What a card says of an instrument classifier whose temperature is fitted to songs in stems.

    Raises:
        BadFile: weights of something else, or no stem that plays and has a name they know.
    """
    judge = load_classifier(weights)
    heard = list(_heard(judge, stems))
    if not heard:
        known = ", ".join(judge.settings.sources)
        raise BadFile(f"{stems}: no stem that plays of {known}")
    model = describe(judge)
    before = float(model["settings"]["temperature"])
    found = fitted_temperature(heard)
    model["settings"]["temperature"] = found
    told = {
        "components": len(heard),
        "windows": sum(len(scores) for scores, _ in heard),
        "nats_before": round(cost(heard, before), 4),
        "nats_after": round(cost(heard, found), 4),
    }
    return {"model": model, "calibration": told}


def fitted_temperature(heard: Sequence[Heard]) -> float:
    """The temperature at which the true names of components are most probable."""
    tried = np.geomspace(LOWEST, HIGHEST, N_TRIED)
    costs = [cost(heard, float(one)) for one in tried]
    return round(float(tried[int(np.argmin(costs))]), 4)


def cost(heard: Sequence[Heard], temperature: float) -> float:
    """How improbable the true names are at a temperature: mean over components, in nats."""
    counts = torch.tensor([len(scores) for scores, _ in heard])
    truths = torch.tensor([truth for _, truth in heard]).repeat_interleave(counts)
    every = torch.cat([scores for scores, _ in heard]).double()
    own = InstrumentClassifier.probabilities(every, temperature).gather(1, truths[:, None])[:, 0]
    owner = torch.arange(len(heard)).repeat_interleave(counts)
    means = own.new_zeros(len(heard)).index_add(0, owner, own) / counts
    return -float(means.clamp(min=1e-12).log().mean())


def _heard(judge: InstrumentClassifier, stems: Path) -> Iterator[Heard]:
    for song in find_tracks(stems):
        for name, path in song.stems.items():
            samples = read_samples(path)
            level = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
            if name in judge.settings.sources and level >= PLAYING_RMS:
                windows = sounding_windows(samples, song.rate_hz, judge)
                yield judge.scores(torch.from_numpy(windows)), judge.classes.index(name)
