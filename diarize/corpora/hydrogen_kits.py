"""Drum kits of the Hydrogen drum machine: a folder with `drumkit.xml` and a file a stroke."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from diarize.corpora.drum_kits import Layer, Part, balanced, kit_zones, tuned_keys
from diarize.corpora.single_sounds import faded, read_sound
from diarize.corpora.soundfont import DRUM_BANK
from diarize.corpora.soundfont_file import ZonedPreset
from diarize.errors import BadFile

MAPS = Path(__file__).with_name("hydrogen_kits.toml")
LONGEST_S = 5.0
HEARD = 10 ** (-75 / 20)  # a stroke ends with the last sample that is louder
FADE_S = 0.02


@dataclass(frozen=True)
class Stroke:
    """A file of a kit, and how hard it is struck there: from `low` to `high`, 0 to 1."""

    path: Path
    low: float
    high: float


def hydrogen_presets(folder: Path, soundfont: str) -> list[ZonedPreset]:
    """The kits in `folder` that `hydrogen_kits.toml` has for a soundfont, their drums balanced.

    Raises:
        BadFile: a kit, an instrument or a file is not there or cannot be read.
    """
    presets = []
    for name, preset in tomllib.loads(MAPS.read_text("utf-8"))[soundfont].items():
        parts = [
            part for kit, keys in preset["keys"].items() for part in _parts(folder / kit, keys)
        ]
        presets.append(ZonedPreset(DRUM_BANK, preset["number"], name, kit_zones(balanced(parts))))
    return presets


def read_kit(folder: Path) -> dict[str, list[Stroke]]:
    """The strokes of each instrument of a kit, by its name; of two of one name, the first's.

    Kits of before Hydrogen 0.9 have one file an instrument, newer ones a layer a file. How loud the
    kit's author made its instruments and layers is left out.

    Raises:
        BadFile: there is no kit, or none that can be read.
    """
    path = folder / "drumkit.xml"
    kit: dict[str, list[Stroke]] = {}
    try:
        root = ElementTree.parse(path).getroot()
        for instrument in root.iterfind(".//{*}instrument"):
            strokes = [
                Stroke(
                    folder / (layer.findtext("{*}filename") or ""),
                    float(layer.findtext("{*}min") or 0),
                    float(layer.findtext("{*}max") or 1),
                )
                for layer in instrument.iterfind(".//{*}layer")
            ]
            only = instrument.findtext("{*}filename")
            if not strokes and only:
                strokes = [Stroke(folder / only, 0.0, 1.0)]
            kit.setdefault(instrument.findtext("{*}name") or "", strokes)
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise BadFile(f"{path}: no drum kit that can be read ({error})") from None
    return kit


def read_stroke(stroke: Stroke) -> Layer:
    """A stroke without the silence after it, at most 5 s, its end faded.

    Raises:
        BadFile: the file cannot be read.
    """
    samples, rate_hz = read_sound(stroke.path)
    samples = samples[: int(LONGEST_S * rate_hz)]
    heard = np.flatnonzero(np.abs(samples) > HEARD)
    samples = samples[: heard[-1] + 1] if len(heard) else samples[:1]
    samples = faded(samples, int(rate_hz * FADE_S))
    return Layer(samples, rate_hz, stroke.low, stroke.high, stroke.path.name)


def _parts(folder: Path, keys: Mapping[str, Any]) -> list[Part]:
    kit, parts = read_kit(folder), []
    for name, said in keys.items():
        if not kit.get(name):
            raise BadFile(f"{folder}: no instrument {name!r} with a sound; {MAPS.name} names it")
        layers = tuple(read_stroke(stroke) for stroke in kit[name])
        parts.append(Part(tuned_keys(said, f"{MAPS.name}, {folder.name}, {name}"), layers))
    return parts
