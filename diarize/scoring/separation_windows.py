"""A song's windows, scored by two conventions at once; which windows count, a rule says.

MSDM: windows of 4 s every 2 s; one is left out unless two sources or more play in it, a source
playing if the length of its vector over the number of samples is 1.5e-5 or more (RMS .0045). All
sources count, silent ones too, and 1e-8 is added everywhere: of a silent source the "improvement"
is how much quieter than the mixture its estimate is. Published scores on Slakh2100 are of this
kind; Berti's RQ-VAE (arXiv 2408.07020) differs in that its windows may hold the end of one song and
the beginning of the next, and silence is a constant of -0.052.

Active: the same windows, but of each only the sources that play, without any constant; what an
estimate leaks where its source does not play is said apart.

The rule COMPOSABLE is that of composable representations (arXiv 2408.09792), whose data are windows
of 7 s, side by side, in which every source has a root mean square of 0.01 or more.

Source: for MSDM, its published `evaluate_separation.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from diarize.scoring.separation import Ratios, msdm_si_sdr, sdr, si_ratios, si_sdr

WINDOW_S, HOP_S = 4.0, 2.0
PLAYING = 1.5e-5  # length of a vector over its number of samples
LEAST_PLAYING = 2
LIMIT_DB = 60.0  # beyond which, either way, a ratio of a window does not count further
Sources = Float[np.ndarray, "source *channel time"]


@dataclass(frozen=True)
class Rule:
    """Which windows of a song count.

    Attributes:
        name: what tables call it.
        window_s, hop_s: how long windows are, and how far apart they begin.
        sounding_rms: from which root mean square on a source plays; None: by MSDM's rule.
        all_play: whether every source has to play in a window; else two have to.
    """

    name: str
    window_s: float
    hop_s: float
    sounding_rms: float | None = None
    all_play: bool = False

    def playing(self, signals: Float[np.ndarray, "source time"]) -> Bool[np.ndarray, " source"]:
        """Which signals play."""
        if self.sounding_rms is None:
            return are_playing(signals)
        return np.sqrt(np.square(signals, dtype=np.float64).mean(axis=1)) >= self.sounding_rms

    def least(self, n_sources: int) -> int:
        """How many sources have to play."""
        return n_sources if self.all_play else LEAST_PLAYING


MSDM = Rule("msdm", WINDOW_S, HOP_S)
COMPOSABLE = Rule("composable", 7.0, 7.0, 0.01, all_play=True)
RULES = {rule.name: rule for rule in (MSDM, COMPOSABLE)}


@dataclass(frozen=True)
class SourceWindows:
    """One source in the windows of a song that count; each array has a number a window.

    Attributes:
        is_playing: in which windows it plays.
        msdm_db: improvement of SI-SDR on the mixture by MSDM's convention.
        active_db: the same without constants; NaN where it does not play, as are those below.
        si_sdr_db, si_sir_db, si_sar_db, sdr_db: of the estimate itself.
        power, mixture_power: mean square of the estimate and of the mixture.
        absent_power, absent_mixture_power: the same, but in all windows, counted or left out, in
            which the mixture sounds and this source does not play.
    """

    is_playing: Bool[np.ndarray, " window"]
    msdm_db: Float[np.ndarray, " window"]
    active_db: Float[np.ndarray, " window"]
    si_sdr_db: Float[np.ndarray, " window"]
    si_sir_db: Float[np.ndarray, " window"]
    si_sar_db: Float[np.ndarray, " window"]
    sdr_db: Float[np.ndarray, " window"]
    power: Float[np.ndarray, " window"]
    mixture_power: Float[np.ndarray, " window"]
    absent_power: Float[np.ndarray, " absent"] = field(default_factory=lambda: np.zeros(0))
    absent_mixture_power: Float[np.ndarray, " absent"] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class SongWindows:
    """A song's windows by source, how many there were, and the SDR of the whole song by source."""

    sources: Mapping[str, SourceWindows]
    n_kept: int
    n_left_out: int
    song_sdr_db: Mapping[str, float]


def score_windows(
    names: tuple[str, ...],
    references: Sources,
    estimates: Sources,
    rate_hz: int,
    rule: Rule = MSDM,
    heard: Sources | None = None,
) -> SongWindows:
    """The windows of one song; references and estimates are in the order of `names`.

    `heard` are the stems whose sum is the mixture, and which say who plays; None: the references.
    Channels are taken as one long signal. A song shorter than a window is one window.
    """
    heard = references if heard is None else heard
    rows: list[list[tuple[float, ...]]] = [[] for _ in names]
    absent: list[list[tuple[float, float]]] = [[] for _ in names]
    n_left_out = 0
    for start, end in spans(references.shape[-1], rate_hz, rule):
        truth, found, played = (
            one[..., start:end].reshape(len(names), -1) for one in (references, estimates, heard)
        )
        playing, mixture = rule.playing(played), played.sum(axis=0)
        if playing.any():
            for silent in np.flatnonzero(~playing):
                absent[silent].append(_powers(found[silent], mixture))
        if playing.sum() < rule.least(len(names)):
            n_left_out += 1
            continue
        for source, row in enumerate(rows):
            row.append(_scored(truth, found[source], mixture, source, bool(playing[source])))
    flat = [one.reshape(len(names), -1) for one in (references, estimates)]
    whole = {name: sdr(flat[0][place], flat[1][place]) for place, name in enumerate(names)}
    each = zip(names, rows, absent, strict=True)
    windows = {name: _gathered(row, gone) for name, row, gone in each}
    return SongWindows(windows, len(rows[0]), n_left_out, whole)


def spans(n_samples: int, rate_hz: int, rule: Rule = MSDM) -> Iterator[tuple[int, int]]:
    """The first and last sample of each window; what is left at the end is in none.

    >>> list(spans(90, 10))
    [(0, 40), (20, 60), (40, 80)]
    """
    size, hop = round(rule.window_s * rate_hz), round(rule.hop_s * rate_hz)
    if n_samples <= size:
        yield 0, n_samples
        return
    for start in range(0, n_samples - size + 1, hop):
        yield start, start + size


def are_playing(signals: Float[np.ndarray, "source time"]) -> Bool[np.ndarray, " source"]:
    """Which signals are not silent by MSDM's rule."""
    lengths = np.linalg.norm(signals.astype(np.float64), axis=1)
    return np.asarray(lengths / signals.shape[1] >= PLAYING)


def _scored(
    truth: Float[np.ndarray, "source time"],
    estimate: Float[np.ndarray, " time"],
    mixture: Float[np.ndarray, " time"],
    source: int,
    is_playing: bool,
) -> tuple[float, ...]:
    """A window of a source, in the order of the attributes of `SourceWindows`."""
    own = truth[source]
    msdm = msdm_si_sdr(own, estimate) - msdm_si_sdr(own, mixture)
    powers = _powers(estimate, mixture)
    if not is_playing:
        return (0.0, msdm, *[float("nan")] * 5, *powers)
    ratios: Ratios = si_ratios(truth, estimate, source)
    limited = [_limited(one) for one in (ratios.si_sdr, ratios.si_sir, ratios.si_sar)]
    improvement = limited[0] - _limited(si_sdr(own, mixture))
    return (1.0, msdm, improvement, *limited, _limited(sdr(own, estimate)), *powers)


def _limited(value_db: float) -> float:
    return float(np.clip(value_db, -LIMIT_DB, LIMIT_DB))


def _powers(
    estimate: Float[np.ndarray, " time"], mixture: Float[np.ndarray, " time"]
) -> tuple[float, float]:
    return float(np.mean(estimate**2)), float(np.mean(mixture**2))


def _gathered(rows: list[tuple[float, ...]], absent: list[tuple[float, float]]) -> SourceWindows:
    columns = np.array(rows, dtype=np.float64).reshape(-1, 9).T
    gone = np.array(absent, dtype=np.float64).reshape(-1, 2).T
    return SourceWindows(columns[0].astype(bool), *columns[1:], *gone)
