"""Recordings with a truth, listed in a manifest, to be handed from tool to tool."""

import numpy as np
import soundfile

from diarize.formats.manifest import Recording, write_manifest

RATE_HZ = 16_000
LENGTHS = {"a": 64_000, "b": 48_017, "call_ü": 80_000}  # samples; b ends between two milliseconds
TURNS = {
    "a": [(0.0, 1.25, "ann"), (1.1, 2.005, "bob"), (3.999, 4.0, "ann")],
    "b": [(0.333, 2.667, "carol")],
    "call_ü": [(0.5, 1.5, "Zoë"), (0.5, 1.5, "ann"), (4.75, 5.0, "ann")],
}
REGIONS = {"a": [(0.0, 4.0)], "b": [(0.5, 3.001)], "call_ü": [(0.25, 1.125), (4.0, 5.0)]}


def sound(n_samples, seed=0, n_channels=1):
    values = np.random.default_rng(seed).normal(0, 0.1, (n_samples, n_channels))
    return values.astype(np.float32)


def make_listed(folder, names=tuple(LENGTHS), ending="wav"):
    """A folder with sound files and manifest.jsonl, ref.rttm, all.uem; the manifest."""
    (folder / "sound").mkdir(parents=True)
    turns, regions, entries = [], [], []
    for number, name in enumerate(names):
        audio = folder / "sound" / f"{name}.{ending}"
        soundfile.write(audio, sound(LENGTHS[name], number), RATE_HZ)
        turns += [
            f"SPEAKER {name} 1 {start_s:.3f} {end_s - start_s:.3f} <NA> <NA> {who} <NA> <NA>\n"
            for start_s, end_s, who in sorted(TURNS[name], key=lambda one: (*one[:2], one[2]))
        ]
        regions += [f"{name} 1 {first_s:.3f} {end_s:.3f}\n" for first_s, end_s in REGIONS[name]]
        truth = folder / "ref.rttm", folder / "all.uem"
        entries.append(Recording(name, audio, *truth, round(LENGTHS[name] / RATE_HZ, 3)))
    (folder / "ref.rttm").write_text("".join(turns), encoding="utf-8")
    (folder / "all.uem").write_text("".join(regions), encoding="utf-8")
    write_manifest(folder / "manifest.jsonl", entries)
    return folder / "manifest.jsonl"


def listed(folder):
    """What a folder lists, as text; audio by where it truly lies."""
    from diarize.formats.manifest import read_manifest

    facts = [
        (one.recording, one.audio.resolve()) for one in read_manifest(folder / "manifest.jsonl")
    ]
    return facts, (folder / "ref.rttm").read_text(), (folder / "all.uem").read_text()
