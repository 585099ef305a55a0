"""Names for the components of a song on disk: a JSON file beside them, and a line for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import soundfile

from diarize.formats.text import save_text
from diarize.formats.tracks import Tracks, read_samples
from diarize.inference.component_names import LEAST_PROBABILITY, Name, name_components


def save_names(path: Path, components: Mapping[str, Path]) -> tuple[str, ...]:
    """Write to `path` which instrument each component is; return a line for each.

    The file holds, for each component by its own name, its label (an instrument only if that is
    probable enough), the likeliest instrument, probabilities and the level in the sum of all.

    Raises:
        BadFile: a component that cannot be read, or a path that cannot be written.
        MissingWeights: those of the classifier.
    """
    rate_hz = soundfile.info(next(iter(components.values()))).samplerate
    tracks = Tracks({name: read_samples(one) for name, one in components.items()}, rate_hz)
    names = dict(zip(components, name_components(tracks), strict=True))
    facts = {
        "least_probability": LEAST_PROBABILITY,
        "components": {name: one.facts() for name, one in names.items()},
    }
    save_text(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    return tuple(_line(name, one) for name, one in names.items())


def _line(component: str, name: Name) -> str:
    """What the component is, or that it is not sure."""
    if not name.n_windows or name.label == name.best:
        return f"{component}: {name.told}"
    return f"{component}: no name is probable enough (likeliest {name.told})"
