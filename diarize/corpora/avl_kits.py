"""The AVL drum kits by G. MacArthur: soundfonts whose keys are their own, put on General MIDI's."""

from __future__ import annotations

import tomllib
from pathlib import Path

from diarize.corpora.drum_kits import Layer, Part, kit_zones, levelled, tuned_keys
from diarize.corpora.soundfont import DRUM_BANK
from diarize.corpora.soundfont_file import Sample, ZonedPreset, read_samples
from diarize.errors import BadFile

MAPS = Path(__file__).with_name("avl_kits.toml")
LONGEST_S = 5.0


def avl_presets(folder: Path) -> list[ZonedPreset]:
    """The kits whose soundfonts are in `folder`, as `avl_kits.toml` has them.

    The strokes of a key are taken for as hard as they are loud; of n each has an n-th of the
    velocities.

    Raises:
        BadFile: a soundfont is not there, cannot be read, or lacks a key.
    """
    maps = tomllib.loads(MAPS.read_text("utf-8"))
    keys = {own: tuned_keys(said, f"{MAPS.name}, {own}") for own, said in maps["keys"].items()}
    presets = []
    for name, preset in maps["presets"].items():
        path = folder / preset["file"]
        strokes: dict[str, list[Sample]] = {}
        for sample in read_samples(path):
            strokes.setdefault(sample.name.partition("-")[0], []).append(sample)
        missing = [own for own in keys if own not in strokes]
        if missing:
            raise BadFile(
                f"{path}: no samples of its keys {', '.join(missing)}; {MAPS.name} names them"
            )
        parts = [Part(played, _layers(strokes[own])) for own, played in keys.items()]
        zones = kit_zones(levelled(parts))
        presets.append(ZonedPreset(DRUM_BANK, preset["number"], name, zones))
    return presets


def _layers(samples: list[Sample]) -> tuple[Layer, ...]:
    softest_first = sorted(samples, key=lambda one: float(abs(one.sound).max()))
    n_layers = len(samples)
    return tuple(
        Layer(
            one.sound[: int(LONGEST_S * one.rate_hz)],
            one.rate_hz,
            place / n_layers,
            (place + 1) / n_layers,
            one.name,
        )
        for place, one in enumerate(softest_first)
    )
