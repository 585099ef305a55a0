"""MUSDB18-HQ: songs in four stems, stereo at 44.1 kHz, read strictly.

    FOLDER/{train,test}/SONG/{mixture,drums,bass,other,vocals}.wav

Source: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner, "MUSDB18-HQ" (2019); 100
songs to train on, 50 to test. Of the former, 14 are for validation by convention: those that the
package `musdb` names.
"""

from __future__ import annotations

from pathlib import Path

import soundfile

from diarize.corpora.song_files import SongFiles, song_files
from diarize.errors import BadFile

SOURCES = ("bass", "drums", "other", "vocals")
MIXTURE = "mixture"
RATE_HZ, N_CHANNELS = 44_100, 2
SIZES = {"train": 86, "validation": 14, "test": 50}
VALIDATION = frozenset(
    (
        "Actions - One Minute Smile",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Johnny Lokke - Promises & Lies",
        "Patrick Talbot - A Reason To Leave",
        "Triviul - Angelsaint",
        "Alexander Ross - Goodbye Bolero",
        "Fergessen - Nos Palpitants",
        "Leaf - Summerghost",
        "Skelpolu - Human Mistakes",
        "Young Griffo - Pennies",
        "ANiMAL - Rockshow",
        "James May - On The Line",
        "Meaxic - Take A Step",
        "Traffic Experiment - Sirens",
    )
)


def musdb_songs(folder: Path | str, split: str) -> list[SongFiles]:
    """The songs of one split ("train", "validation", "test"), by name, with their four sources.

    Raises:
        BadFile: no such split, or a song that is not as it should be; the message names it.
    """
    folder = Path(folder)
    place = folder / ("test" if split == "test" else "train")
    if not place.is_dir():
        raise BadFile(f"{place}: no such folder; expected MUSDB18-HQ's train/ and test/")
    songs = [one for one in place.iterdir() if one.is_dir() and not one.name.startswith(".")]
    if split != "test":
        songs = [one for one in songs if (one.name in VALIDATION) == (split == "validation")]
    if not songs:
        raise BadFile(f"{place}: no song of the split {split!r} in it")
    return [musdb_song(one) for one in sorted(songs)]


def musdb_song(place: Path) -> SongFiles:
    """The song in a folder.

    Raises:
        BadFile: a stem or the mixture is missing, unlike the others, or not stereo at 44.1 kHz.
    """
    song = song_files(place.name, place, {name: [place / f"{name}.wav"] for name in SOURCES})
    if (song.rate_hz, song.n_channels) != (RATE_HZ, N_CHANNELS):
        raise BadFile(
            f"{place}: {song.rate_hz} Hz, {song.n_channels} channels; expected {RATE_HZ} Hz, "
            f"{N_CHANNELS} channels"
        )
    mixture = place / f"{MIXTURE}.wav"
    try:
        info = soundfile.info(mixture)
    except (OSError, soundfile.LibsndfileError):
        what = "cannot be read" if mixture.exists() else "no such file"
        raise BadFile(f"{place}: {mixture.name}: {what}") from None
    if info.frames != song.n_samples:
        raise BadFile(
            f"{place}: {mixture.name} has {info.frames} samples; its stems have {song.n_samples}"
        )
    return song
