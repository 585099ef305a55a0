"""What was heard of a recording as arrays with names, and back, exactly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from diarize.features.segmentation import LocalActivity
from diarize.inference.cluster import Units
from diarize.inference.hearing import Heard
from diarize.inference.voices import Voices

LOCAL = ("posterior", "speech", "overlap", "first_frame")
VOICES = (
    "unit_statistic", "unit_talk_s", "unit_window", "unit_place",
    "local", "local_window", "local_place",
)  # fmt: skip
HEARD = ("voice", "mel", "typical", "around")


def arrays_of_local(local: LocalActivity) -> dict[str, np.ndarray]:
    """Who talks in each window; with the last hidden layer if that was kept."""
    arrays = {name: getattr(local, name) for name in LOCAL}
    arrays["n_frames"] = np.array(local.n_frames)
    return arrays if local.context is None else {**arrays, "context": local.context}


def local_of(arrays: Mapping[str, np.ndarray], keep_context: bool) -> LocalActivity:
    """The opposite of `arrays_of_local`; the last hidden layer only where it is asked for."""
    return LocalActivity(
        **{name: arrays[name] for name in LOCAL},
        n_frames=int(arrays["n_frames"]),
        context=arrays["context"] if keep_context else None,
    )


def arrays_of_voices(voices: Voices) -> dict[str, np.ndarray]:
    """Units, local voices and glimpses; glimpses of size `n` are called by that number."""
    units = voices.units
    values = (
        *(units.statistic, units.talk_s, units.window, units.place),
        *(voices.local, voices.local_window, voices.local_place),
    )
    arrays = dict(zip(VOICES, values, strict=True))
    for size, (glimpse, at_s) in enumerate(zip(voices.glimpse, voices.glimpse_s, strict=True)):
        arrays |= {f"glimpse_{size}": glimpse, f"glimpse_s_{size}": at_s}
    return arrays


def voices_of(arrays: Mapping[str, np.ndarray]) -> Voices:
    """The opposite of `arrays_of_voices`."""
    statistic, talk_s, unit_window, unit_place, local, window, place = (
        arrays[name] for name in VOICES
    )
    sizes = range(sum(name.startswith("glimpse_s_") for name in arrays))
    return Voices(
        units=Units(statistic, talk_s, unit_window, unit_place),
        local=local,
        local_window=window,
        local_place=place,
        glimpse=tuple(arrays[f"glimpse_{size}"] for size in sizes),
        glimpse_s=tuple(arrays[f"glimpse_s_{size}"] for size in sizes),
    )


def arrays_of_heard(heard: Heard) -> dict[str, np.ndarray]:
    """All of it but the windows of `local`."""
    return {
        **{name: getattr(heard, name) for name in HEARD},
        **arrays_of_voices(heard.voices),
        "anyone": heard.speech,
        "two": heard.overlap,
        "voice_hop_s": np.array(heard.voice_hop_s),
    }


def heard_of(arrays: Mapping[str, np.ndarray], local: LocalActivity) -> Heard:
    """The opposite of `arrays_of_heard`, given the windows."""
    return Heard(
        local=local,
        speech=arrays["anyone"],
        overlap=arrays["two"],
        voice_hop_s=float(arrays["voice_hop_s"]),
        voices=voices_of(arrays),
        **{name: arrays[name] for name in HEARD},
    )
