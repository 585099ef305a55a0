"""How well a model tells the codes of songs it has not heard, and how far from music its own is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from diarize.codecs.contract import Encoded
from diarize.codecs.spectra import BandLevels
from diarize.errors import BadFile
from diarize.formats.tracks import TrackFiles, find_tracks, read_samples
from diarize.inference.music import MusicMaker
from diarize.models.rqtransformer.sampling import Drawing, generate
from diarize.scoring.codes import CodeCounts, uniform_nats
from diarize.scoring.frechet import frechet_distance
from diarize.scoring.grid import Grid

PIECES = 4  # of a window, each with an embedding
EMBEDDING_BANDS, EMBEDDING_FFT = 32, 2048
EMBEDDING = (
    f"mean and standard deviation of the level (dB) of {EMBEDDING_BANDS} bands of the mixture, "
    "over a quarter of a window"
)
AT_ONCE = 8  # windows


@dataclass(frozen=True)
class CodeScores:
    """What the codes of some windows cost by each way of telling them, in nats.

    Attributes:
        nats: by system, a row of stems and stages.
        n_windows, n_songs: that were scored.
        n_counted: windows that the baselines were counted on.
    """

    nats: Mapping[str, Float[np.ndarray, "stem stage"]]
    n_windows: int
    n_songs: int
    n_counted: int

    def table(self, sources: Sequence[str]) -> Grid:
        """Bits a code: of all, by stage, by stem."""
        n_stages = next(iter(self.nats.values())).shape[1]
        stages = tuple(f"stage {stage + 1}" for stage in range(n_stages))
        rows = []
        for name, nats in self.nats.items():
            bits = nats / math.log(2)
            values = [bits.mean(), *bits.mean(0), *bits.mean(1)]
            rows.append((name, *(f"{value:.3f}" for value in values)))
        return Grid("bits a code", ("system", "all", *stages, *sources), tuple(rows))


def song_windows(
    maker: MusicMaker, songs: Sequence[TrackFiles]
) -> Iterator[Float[np.ndarray, "stem time"]]:
    """The sound of songs, window by window as long as the model takes; what is left over is not."""
    n_samples = maker.model.n_frames * maker.codec.settings.hop
    for song in songs:
        if song.rate_hz != maker.rate_hz:
            raise BadFile(f"{song.name}: {song.rate_hz} Hz; stems at {maker.rate_hz} Hz are scored")
        for start in range(0, song.n_samples - n_samples + 1, n_samples):
            files = [song.stems[name] for name in maker.sources]
            yield np.stack([read_samples(one, start, n_samples).mean(axis=0) for one in files])


@torch.no_grad()
def window_codes(
    maker: MusicMaker, songs: Sequence[TrackFiles]
) -> list[Int[np.ndarray, "slot frame"]]:
    """The codes of all windows of songs."""
    found = []
    for window in song_windows(maker, songs):
        found.append(maker.model.codes(torch.from_numpy(window)[None])[0].numpy())
    return found


@torch.no_grad()
def code_scores(
    maker: MusicMaker,
    songs: Sequence[TrackFiles],
    counted: Sequence[TrackFiles],
    develop: Sequence[TrackFiles],
) -> CodeScores:
    """The codes of `songs` by the model and by counting those of `counted`.

    Raises:
        BadFile: songs of another rate, or none as long as a window.
    """
    windows = window_codes(maker, songs)
    if not windows:
        raise BadFile(f"no song of {maker.longest_s:.1f} s or more, which a window is")
    learned = window_codes(maker, counted)
    counts = CodeCounts(learned, window_codes(maker, develop), maker.model.n_codes)
    total = np.zeros(maker.model.n_slots)
    for start in range(0, len(windows), AT_ONCE):
        some = torch.from_numpy(np.stack(windows[start : start + AT_ONCE]))
        total += maker.model.nats(some).mean(2).sum(0).double().numpy()
    nats = {
        "uniform": uniform_nats(maker.model.n_codes, maker.model.n_slots),
        "each code by itself": counts.single_nats(windows),
        "after the same code of the frame before": counts.after_nats(windows, "frame"),
        "after the code before it in the frame": counts.after_nats(windows, "turn"),
        "rqtransformer": total / len(windows),
    }
    shape = len(maker.sources), maker.model.n_stages
    table = {name: one.reshape(shape) for name, one in nats.items()}
    return CodeScores(table, len(windows), len(songs), len(learned))


@dataclass(frozen=True)
class SoundScores:
    """Fréchet distances to windows of real test songs, in squared units of `EMBEDDING` (dB).

    Attributes:
        floor: of real songs of training, as many windows as were generated, if there are so many.
        codec: of some of the same test windows, as many as were generated, as their codes sound.
        generated: of music from nothing.
        n_test, n_train, n_generated: windows; each has `PIECES` embeddings.
    """

    floor: float
    codec: float
    generated: float
    n_test: int
    n_train: int
    n_generated: int


@torch.no_grad()
def sound_scores(
    maker: MusicMaker,
    songs: Sequence[TrackFiles],
    trained: Sequence[TrackFiles],
    n_generated: int,
    *,
    seed: int = 0,
    drawing: Drawing | None = None,
) -> SoundScores:
    """How far generated music, and real music through codes, are from the real music of `songs`."""
    test = list(song_windows(maker, songs))
    train = _spread(list(song_windows(maker, trained)), n_generated)
    real = _embedded(np.stack([one.sum(0) for one in test]))
    floor = _embedded(np.stack([one.sum(0) for one in train]))
    coded = []
    for window in _spread(test, n_generated):
        encoded = maker.codec.encode(torch.from_numpy(window)[None])
        coded.append(maker.codec.decode_codes(encoded)[0].sum(0).numpy())
    made = []
    chance = torch.Generator().manual_seed(seed)
    for start in range(0, n_generated, AT_ONCE):
        n = min(AT_ONCE, n_generated - start)
        codes = generate(maker.model, n, maker.model.n_frames, chance, drawing)
        made.extend(_sounds(maker, codes))
    return SoundScores(
        frechet_distance(real, floor),
        frechet_distance(real, _embedded(np.stack(coded))),
        frechet_distance(real, _embedded(np.stack(made))),
        len(test),
        len(train),
        n_generated,
    )


def _spread(windows: list[np.ndarray], most: int) -> list[np.ndarray]:
    """At most so many of the windows, as far from one another as can be."""
    places = np.linspace(0, len(windows) - 1, min(most, len(windows))).round().astype(int)
    return [windows[place] for place in places]


def _sounds(maker: MusicMaker, codes: torch.Tensor) -> list[np.ndarray]:
    """The mixture that each row of codes stands for."""
    n_samples = codes.shape[2] * maker.codec.settings.hop
    found = []
    for one in codes:
        empty = torch.zeros(1, maker.codec.n_latents, codes.shape[2])
        made = maker.codec.decode_codes(Encoded(empty, one[None], None, n_samples))
        found.append(made[0].sum(0).numpy())
    return found


def _embedded(
    mixtures: Float[np.ndarray, "window time"],
) -> Float[np.ndarray, "piece number"]:
    """`EMBEDDING` of each piece of each window."""
    levels = BandLevels(EMBEDDING_FFT, EMBEDDING_BANDS)
    length = mixtures.shape[1] // PIECES
    pieces = mixtures[:, : PIECES * length].reshape(-1, length).astype(np.float32)
    found = []
    for start in range(0, len(pieces), AT_ONCE):
        some = torch.from_numpy(pieces[start : start + AT_ONCE])
        heard = levels.forward(some, length // levels.hop)
        found.append(torch.cat([heard.mean(1), heard.std(1)], 1))
    return torch.cat(found).double().numpy()


def songs_in(
    folder: Path | str, sources: Sequence[str], most: int | None = None
) -> list[TrackFiles]:
    """The songs in a folder of stems, or the first so many by name."""
    return find_tracks(folder, sources)[:most]
