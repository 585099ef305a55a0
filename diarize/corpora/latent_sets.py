"""Mixtures of prepared stems as latents of a codec, made once and read in windows.

    DATA/latents/encodec24/train/Track00001/drums_bass.{npy,power.npy,json}

What is encoded is the sum of the stems of the chosen sources, song by song: latents of a sum are no
sum of latents, but of codecs that are linear. Of one source alone that is the stem itself. Beside
them are the mean squares of the mixture and of each source, a number a frame, so that windows can
be chosen by what sounds in them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32

from diarize.codecs import load_codec
from diarize.codecs.contract import Codec
from diarize.codecs.fingerprint import fingerprint
from diarize.codecs.stft import STFTCodec
from diarize.corpora.stem_sets import FOLDER as STEMS
from diarize.corpora.stem_settings import StemSettings
from diarize.corpora.stems import prepared_songs
from diarize.errors import BadCall, BadFile
from diarize.formats.latent_files import read_stamp, save_latents, save_stamp
from diarize.formats.tracks import TrackFiles, read_samples, read_track

FOLDER = "latents"
Sound = Float32[np.ndarray, " time"]


@dataclass(frozen=True)
class LatentSong:
    """The latents of a song on disk: where they are, and how many frames they have."""

    name: str
    path: Path
    n_frames: int


def prepare_latents(
    folder: Path, settings: StemSettings, part: tuple[int, int] | None = None
) -> Path:
    """Encode the mixtures in the data folder that are not encoded yet; return the folder of them.

    What another codec, other settings or other stems left is made anew, and nothing else. `part`
    (2, 3) does every third song from the second on.

    Raises:
        BadCall: no codec is named, or it has another rate than [data], or several channels.
        MissingWeights, BadFile: its weights, or stems, are missing or unsound.
    """
    codec = latent_codec(settings)
    made, (number, of) = facts_of(codec, settings), part or (1, 1)
    songs = prepared_songs(folder, settings)
    for name in settings.latents.parts:
        for song in songs.get(name, [])[number - 1 :: of]:
            stems = read_track(folder / STEMS / name / song, settings.sources)
            path = latent_path(folder, settings, name, song)
            if not _is_fresh(path, made, stems):
                _encode(path, codec, stems, made, settings)
    return folder / FOLDER / settings.latents.folder


def latent_songs(
    folder: Path, settings: StemSettings, part: str, codec: Codec
) -> Iterator[LatentSong]:
    """The songs of a part as latents, each held to the conf and to its stems as far as they are
    there: sound need not be at hand where latents are.

    Raises:
        BadFile: one has no latents, or such as are of another codec, other settings or other stems.
    """
    wanted = facts_of(codec, settings)
    call = f"run diarize prepare latents --data {folder} --conf CONF, by the conf of this training"
    for song in prepared_songs(folder, settings).get(part, []):
        path = latent_path(folder, settings, part, song)
        stamp = read_stamp(path)
        if stamp is None:
            raise BadFile(f"{path}: no latents of {song}; {call}")
        for name, value in wanted.items():
            if stamp.get(name) != value:
                raise BadFile(
                    f"{path}: latents made with {name} = {stamp.get(name)}, and this conf has "
                    f"{value}; {call}"
                )
        for source, old in stamp["stems"].items():
            for stem in (folder / STEMS / part / song).glob(f"{source}.*"):
                if _seen(stem) != {key: old[key] for key in ("size", "mtime_ns")}:
                    raise BadFile(f"{path}: older than {stem}; {call}")
        yield LatentSong(song, path, int(stamp["n_frames"]))


def latent_codec(settings: StemSettings) -> Codec:
    """The codec of the settings.

    Raises:
        BadCall: none is named, or it has another rate than [data], or more than one channel.
        MissingWeights: its weights are nowhere on this machine.
    """
    own = settings.latents
    if not own.codec:
        raise BadCall("no codec in [data.latents]; such as codec = 'rvq' would be right")
    codec: Codec
    if own.codec == "stft":
        codec = STFTCodec(own.n_fft, settings.rate_hz)
    else:
        codec = load_codec(own.codec, own.codec_weights or None)
    if codec.rate_hz != settings.rate_hz:
        raise BadCall(
            f"codec {own.codec!r} has {codec.rate_hz} Hz, and [data] rate_hz = {settings.rate_hz}; "
            "they have to be one"
        )
    if codec.n_channels != 1:
        found = codec.n_channels
        raise BadCall(f"codec {own.codec!r} has {found} channels; one of 1 would be right")
    return codec


def hop_of(codec: Codec) -> int:
    """Samples from one frame of a codec to the next."""
    return round(codec.rate_hz / codec.frame_rate_hz)


def facts_of(codec: Codec, settings: StemSettings) -> dict[str, Any]:
    """What latents hang on besides the stems, as their stamp has it."""
    own = settings.latents
    return {
        "codec": own.codec,
        "rate_hz": codec.rate_hz,
        "n_latents": codec.n_latents,
        "hop": hop_of(codec),
        "weights": fingerprint(codec),
        "sources": list(settings.sources),
        "level": own.level,
        "precision": own.precision,
        "piece_s": own.piece_s,
        "context_s": own.context_s,
    }


def latent_path(folder: Path, settings: StemSettings, part: str, song: str) -> Path:
    """Where the latents of a song are."""
    place = folder / FOLDER / settings.latents.folder / part / song
    return place / f"{'_'.join(settings.sources)}.npy"


def encoded(
    codec: Codec, sound: Sound, piece_s: float, context_s: float
) -> Iterator[Float32[np.ndarray, "_frame latent"]]:
    """The latents of a long sound, piece by piece, each heard with what is around it.

    By one thread, so that numbers do not hang on how many there are.
    """
    hop = hop_of(codec)
    n_piece, n_around = (round(s * codec.rate_hz / hop) for s in (piece_s, context_s))
    n_piece, n_around = max(n_piece, 1), max(n_around, 2)  # frames reach into their neighbours
    with one_thread(), torch.no_grad():
        for first in range(0, max(-(-len(sound) // hop), 1), n_piece):
            begin, end = max(first - n_around, 0), first + n_piece + n_around
            heard = torch.from_numpy(sound[begin * hop : end * hop])[None, None]
            latents = codec.encode(heard).latents[0].T.numpy()
            is_last = (first + n_piece) * hop >= len(sound)
            yield latents[first - begin : None if is_last else first - begin + n_piece]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch has one thread within, and as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _encode(
    path: Path, codec: Codec, song: TrackFiles, made: Mapping[str, Any], settings: StemSettings
) -> None:
    own = settings.latents
    before = {name: _known(stem) for name, stem in song.stems.items()}
    stems = [read_samples(stem).mean(axis=0) for stem in song.stems.values()]
    if song.rate_hz != codec.rate_hz:
        raise BadFile(f"{song.name}: {song.rate_hz} Hz; codec {own.codec!r} has {codec.rate_hz} Hz")
    mixture = np.sum(stems, axis=0)
    sound = mixture / max(_rms(mixture), 1e-6) if own.level == "song" else mixture
    pieces = encoded(codec, sound.astype(np.float32), own.piece_s, own.context_s)
    with np.errstate(over="ignore"):  # told below
        latents = np.concatenate([piece.astype(own.precision) for piece in pieces])
    if not np.isfinite(latents).all():
        raise BadFile(
            f"{path}: latents that {own.precision} cannot hold; precision = 'float32' in "
            "[data.latents] would be right, if sound is within full scale"
        )
    powers = np.stack([powers_of(one, hop_of(codec), len(latents)) for one in (mixture, *stems)], 1)
    save_latents(path, latents, powers, {**made, "n_frames": len(latents), "stems": before})


def powers_of(sound: Sound, hop: int, n_frames: int) -> Float32[np.ndarray, " n_frames"]:
    """The mean square of each run of `hop` samples; 0 after the end.

    >>> powers_of(np.array([1, 1, 2, 0, 3], np.float32), 2, 4).tolist()
    [1.0, 2.0, 4.5, 0.0]
    """
    padded = np.zeros(n_frames * hop, np.float64)
    padded[: len(sound)] = sound[: len(padded)]
    return np.square(padded).reshape(n_frames, hop).mean(1).astype(np.float32)


def _rms(sound: Float[np.ndarray, " time"]) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0


def _is_fresh(path: Path, made: Mapping[str, Any], song: TrackFiles) -> bool:
    """Whether the latents at `path` are those of this codec and these stems.

    A stem that was written at another time counts by its content; if that is as it was, the stamp
    learns the new time.
    """
    stamp = read_stamp(path)
    if stamp is None or any(stamp.get(name) != value for name, value in made.items()):
        return False
    old = stamp.get("stems", {})
    if all(_seen(stem).items() <= old.get(name, {}).items() for name, stem in song.stems.items()):
        return True
    now = {name: _known(stem) for name, stem in song.stems.items()}
    if any(known["sha256"] != old.get(name, {}).get("sha256") for name, known in now.items()):
        return False
    save_stamp(path, {**stamp, "stems": now})
    return True


def _seen(stem: Path) -> dict[str, int]:
    """What is known of a file without reading it."""
    found = stem.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _known(stem: Path) -> dict[str, Any]:
    with stem.open("rb") as opened:
        return {**_seen(stem), "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}
