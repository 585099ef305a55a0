"""The instruments of freepats, a set of GUS patches: a folder of tones and one of drums.

Left out are three that share recordings with TimGM6mb, which music to be tested on is played by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from diarize.corpora.drum_kits import CHOKED
from diarize.corpora.patches import PatchNote, read_patch
from diarize.corpora.soundfont import DRUM_BANK
from diarize.corpora.soundfont_file import Envelope, Sample, Zone, ZonedPreset

TONES, DRUMS = "Tone_000", "Drum_000"  # folders of NUMBER_Name.pat, by General MIDI
SHARED = (67, 68, 122)  # baritone sax, oboe, seashore
PEAK = 0.9  # of the loudest note of an instrument, of each drum
STRUCK = (*range(8), *range(24, 40))  # pianos, guitars, basses: a held note dies away
FADE_CB = 900
_SOFTER_FROM, _SOFTER_CB = 53, 40  # percussion that is no drum kit


def freepats_presets(folder: Path) -> list[ZonedPreset]:
    """Every instrument in `folder`/Tone_000, and the drums of Drum_000 as the standard kit.

    Raises:
        BadFile: a patch cannot be read.
    """
    presets = []
    for path in sorted((folder / TONES).glob("*.pat")):
        number, title = _told(path)
        if number not in SHARED:
            zones = _instrument(number, read_patch(path))
            presets.append(ZonedPreset(0, number, title, tuple(zones)))
    drums = [_drum(path) for path in sorted((folder / DRUMS).glob("*.pat"))]
    return [*presets, ZonedPreset(DRUM_BANK, 0, "Freepats Standard", tuple(drums))]


def _told(path: Path) -> tuple[int, str]:
    """The number and the name that a file's name says."""
    number, _, title = path.stem.partition("_")
    return int(number), title.replace("_", " ")


def _drum(path: Path) -> Zone:
    key, title = _told(path)
    note = read_patch(path)[0]
    loudest = max(1e-3, float(np.abs(note.samples).max()))
    return Zone(
        Sample.of(note.samples / loudest * PEAK, note.rate_hz, title),
        root=key,
        keys=(key, key),
        attenuation_cb=_SOFTER_CB if key >= _SOFTER_FROM else 0,
        envelope=Envelope(release_s=1.0),
        choke=int(key in CHOKED),
        is_fixed=True,
    )


def _instrument(number: int, notes: Sequence[PatchNote]) -> list[Zone]:
    """A zone a note; each note plays the keys that are nearer to it than to its neighbours."""
    notes = sorted(notes, key=lambda one: one.note)
    loudest = max(float(np.abs(one.samples).max()) for one in notes)
    borders = [int(np.floor((lower.note + upper.note) / 2)) for lower, upper in pairwise(notes)]
    zones = []
    for place, note in enumerate(notes):
        first = borders[place - 1] + 1 if place else 0
        last = borders[place] if place < len(borders) else 127
        if last < first:
            continue
        root = round(note.note)
        name = f"{number:03d} {note.name or place} {place}"
        zones.append(
            Zone(
                Sample.of(note.samples / loudest * PEAK, note.rate_hz, name, note.loop),
                root=root,
                keys=(first, last),
                cents=round((root - note.note) * 100),
                envelope=_envelope(number, note),
            )
        )
    return zones


def _envelope(number: int, note: PatchNote) -> Envelope:
    """The patch's own, but that what is struck or plucked fades even where its loop would not."""
    own = note.envelope()
    if number not in STRUCK or own.sustain_cb >= 300:
        return own
    fade_s = 60.0 if number in (29, 30) else 45.0 if number >= 32 else 28.0
    return replace(own, decay_s=fade_s, sustain_cb=FADE_CB)
