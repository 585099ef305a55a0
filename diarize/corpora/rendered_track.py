"""A take of a song rendered to a folder in the layout of Slakh2100.

    Track00001/  all_src.mid  metadata.yaml  mix.flac  MIDI/S00.mid ...  stems/S00.flac ...

Every instrument is a stem. Stems are 16-bit; `mix.flac` is their sum to the last bit.
"""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Float, Int

from diarize.audio.mix import gain
from diarize.audio.resample import resample
from diarize.corpora.instruments import class_of_source
from diarize.corpora.loudness import loudness
from diarize.corpora.midi_song import save_midi
from diarize.corpora.rendered_settings import RenderedSettings
from diarize.corpora.synthesizer import RATE_HZ, Synthesizer
from diarize.corpora.take import Player, Take
from diarize.errors import BadFile

FULL_SCALE = 32768
METADATA = "metadata.yaml"


@dataclass(frozen=True)
class Stem:
    """What one player sounds like: samples at the track's rate, and how loud they are."""

    player: Player
    samples: Float[np.ndarray, " time"]
    lufs: float

    @property
    def is_silent(self) -> bool:
        """Whether nothing is heard of it, as where the soundfont lacks its notes."""
        return math.isinf(self.lufs)


def render_track(
    folder: Path,
    take: Take,
    plays: Synthesizer,
    settings: RenderedSettings,
    stamp: dict[str, Any],
) -> None:
    """Play a take and write it as the track `folder`, whole or not at all.

    Raises:
        BadFile: the soundfont cannot be played, or the folder cannot be written.
    """
    stems = [_stem(player, plays, settings) for player in take.players]
    heard = [stem for stem in stems if not stem.is_silent]
    overall = _overall_gain([stem.samples for stem in heard], settings.peak_dbfs)
    whole_numbers = [_int16(overall * stem.samples) for stem in stems]
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        for name in ("stems", "MIDI"):
            (unfinished / name).mkdir(parents=True)
        n_samples = round(take.duration_s * settings.rate_hz)
        mix: Int[np.ndarray, " time"] = np.zeros(n_samples, np.int32)
        for number, (stem, samples) in enumerate(zip(stems, whole_numbers, strict=True)):
            score = stem.player.performance.score()
            save_midi(unfinished / "MIDI" / f"S{number:02d}.mid", [score], take.duration_s)
            if not stem.is_silent:
                _save(unfinished / "stems" / f"S{number:02d}.flac", samples, settings.rate_hz)
                mix += samples
        _save(unfinished / "mix.flac", mix, settings.rate_hz)
        every = [stem.player.performance.score() for stem in stems]
        save_midi(unfinished / "all_src.mid", every, take.duration_s)
        facts = _metadata(take, stems, overall, settings) | {"rendered": stamp}
        _save_yaml(unfinished / METADATA, facts)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
    except OSError as error:
        raise BadFile(f"{folder}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _stem(player: Player, plays: Synthesizer, settings: RenderedSettings) -> Stem:
    """A player's sound, as loud as all others but for its gain."""
    played = plays.play(player.performance)
    samples = resample(played, RATE_HZ, settings.rate_hz)
    n_samples = round(player.performance.duration_s * settings.rate_hz)
    samples = np.pad(samples, (0, max(n_samples - len(samples), 0)))[:n_samples]
    lufs = loudness(samples, settings.rate_hz)
    if math.isinf(lufs):
        return Stem(player, np.zeros_like(samples), lufs)
    wanted = settings.stem_lufs + player.gain_db
    return Stem(player, samples * np.float32(gain(wanted - lufs)), wanted)


def _overall_gain(stems: Sequence[Float[np.ndarray, " time"]], peak_dbfs: float) -> float:
    """What brings the peak of the stems' sum to `peak_dbfs`, and no stem's above it."""
    if not stems:
        return 1.0
    peak = max(float(np.abs(one).max()) for one in [sum(stems[1:], stems[0]), *stems])
    return gain(peak_dbfs) / peak


def _int16(samples: Float[np.ndarray, " time"]) -> Int[np.ndarray, " time"]:
    return np.clip(np.round(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int32)


def _save(path: Path, samples: Int[np.ndarray, " time"], rate_hz: int) -> None:
    if np.abs(samples).max(initial=0) >= FULL_SCALE:
        raise BadFile(f"{path}: the sum of the stems clips; a lower peak_dbfs would be right")
    try:
        soundfile.write(path, samples.astype(np.int16), rate_hz, format="FLAC", subtype="PCM_16")
    except soundfile.LibsndfileError as error:
        raise OSError(error.error_string) from None


def _metadata(
    take: Take,
    stems: Sequence[Stem],
    overall: float,
    settings: RenderedSettings,
) -> dict[str, Any]:
    """What Slakh's metadata.yaml says, by the same names."""
    return {
        "UUID": uuid.uuid5(uuid.NAMESPACE_OID, f"{take.song} {take.number}").hex,
        "audio_dir": "stems",
        "lmd_midi_dir": f"{take.song}.mid",
        "midi_dir": "MIDI",
        "normalization_factor": settings.stem_lufs,
        "normalized": True,
        "overall_gain": round(overall, 6),
        "target_peak": settings.peak_dbfs,
        "stems": {
            f"S{number:02d}": {
                "audio_rendered": not stem.is_silent,
                "inst_class": class_of_source(stem.player.source),
                "integrated_loudness": None if stem.is_silent else round(stem.lufs, 4),
                "is_drum": stem.player.source == "drums",
                "midi_program_name": stem.player.performance.preset.name,
                "midi_saved": True,
                "plugin_name": _place(stem),
                "program_num": stem.player.program,
            }
            for number, stem in enumerate(stems)
        },
    }


def _place(stem: Stem) -> str:
    preset = stem.player.performance.preset
    return f"{preset.path.stem}:{preset.bank}:{preset.number}"


def _save_yaml(path: Path, facts: dict[str, Any]) -> None:
    import yaml

    path.write_text(yaml.safe_dump(facts, sort_keys=True), encoding="utf-8")
