"""Scores of sources over songs: means of windows, intervals over songs, and what silence holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from diarize.scoring.bootstrap import Interval, ratio_interval
from diarize.scoring.separation_windows import LIMIT_DB, MSDM, Rule, SongWindows, SourceWindows

Reference = Literal["raw", "codec"]
ALL = "all"
SILENCE_DB = -120.0  # the lowest level that is told


@dataclass(frozen=True)
class Mean:
    """A mean in dB over `n` windows (or songs), and its 95 % interval over songs; NaN of none."""

    value_db: float
    n: int
    interval: Interval | None = None


@dataclass(frozen=True)
class SourceScore:
    """One source, or all of them, over all songs.

    Attributes:
        msdm: SI-SDRi by MSDM's convention, silent stems counted.
        active: SI-SDRi where the source plays, without constants.
        si_sdr, si_sir, si_sar, sdr: of the estimate where the source plays.
        song_sdr: of whole songs in which it plays at all.
        silent_share: of source-windows in which it does not play.
        leak_db: level of the estimate there relative to the mixture's; NaN where there are none.
        leak_dbfs: the same relative to full scale.
        silent_msdm_db: what MSDM's convention makes of those windows alone.
        absent_db, absent_dbfs: the level of the estimate, relative to the mixture and to full
            scale, in the `n_absent` windows, counted or left out, in which the source does not play
            and others do.
    """

    msdm: Mean
    active: Mean
    si_sdr: Mean
    si_sir: Mean
    si_sar: Mean
    sdr: Mean
    song_sdr: Mean
    silent_share: float
    leak_db: float
    leak_dbfs: float
    silent_msdm_db: float
    absent_db: float = math.nan
    absent_dbfs: float = math.nan
    n_absent: int = 0


@dataclass(frozen=True)
class SystemScore:
    """A system: its songs by name, and the scores of each source and of `all`."""

    name: str
    songs: Mapping[str, SongWindows]
    sources: Mapping[str, SourceScore]
    bss_eval: Mapping[str, float] | None = None

    @property
    def n_kept(self) -> int:
        """Windows that count."""
        return sum(song.n_kept for song in self.songs.values())

    @property
    def n_left_out(self) -> int:
        """Windows in which less than two sources play."""
        return sum(song.n_left_out for song in self.songs.values())


@dataclass(frozen=True)
class SeparationScore:
    """All systems on the same songs, the one asked for first, then floor and ceiling.

    Attributes:
        rule: which windows count.
        codec: whose round trip of the true stems is scored too, or is what systems are held to.
        against: what systems are held to: the stems themselves ("raw"), or as that codec has them.
        permuted: systems whose components have no names: which is which was chosen by the truth.
    """

    systems: tuple[SystemScore, ...]
    sources: tuple[str, ...]
    reference: str
    reference_sha256: str
    duration_s: float
    notes: tuple[str, ...] = field(default=())
    rule: Rule = MSDM
    codec: str | None = None
    against: Reference = "raw"
    permuted: tuple[str, ...] = ()


def source_score(songs: Sequence[tuple[SongWindows, tuple[str, ...]]], seed: int) -> SourceScore:
    """The scores of some sources of all songs, each window of each source counting once."""
    own = [[song.sources[name] for name in names] for song, names in songs]
    whole = [[song.song_sdr_db[name] for name in names] for song, names in songs]
    silent = [~one.is_playing for sources in own for one in sources]
    flat = [one for sources in own for one in sources]
    leaked = sum(float(one.power[quiet].sum()) for one, quiet in zip(flat, silent, strict=True))
    heard = sum(
        float(one.mixture_power[quiet].sum()) for one, quiet in zip(flat, silent, strict=True)
    )
    n_silent, n_all = sum(int(one.sum()) for one in silent), sum(len(one) for one in silent)
    gone = float(sum(one.absent_power.sum() for one in flat))
    beside = float(sum(one.absent_mixture_power.sum() for one in flat))
    n_absent = sum(len(one.absent_power) for one in flat)
    quiet_db = [one.msdm_db[quiet] for one, quiet in zip(flat, silent, strict=True)]

    def mean(of: Callable[[SourceWindows], np.ndarray]) -> Mean:
        return mean_of([np.concatenate([of(one) for one in sources]) for sources in own], seed)

    return SourceScore(
        msdm=mean(lambda one: one.msdm_db),
        active=mean(lambda one: one.active_db),
        si_sdr=mean(lambda one: one.si_sdr_db),
        si_sir=mean(lambda one: one.si_sir_db),
        si_sar=mean(lambda one: one.si_sar_db),
        sdr=mean(lambda one: one.sdr_db),
        song_sdr=mean_of([np.clip(np.array(one), -LIMIT_DB, LIMIT_DB) for one in whole], seed),
        silent_share=n_silent / n_all if n_all else math.nan,
        leak_db=_level_db(leaked, heard) if n_silent else math.nan,
        leak_dbfs=_level_db(leaked, float(n_silent)) if n_silent else math.nan,
        silent_msdm_db=float(np.concatenate(quiet_db).mean()) if n_silent else math.nan,
        absent_db=_level_db(gone, beside) if n_absent else math.nan,
        absent_dbfs=_level_db(gone, float(n_absent)) if n_absent else math.nan,
        n_absent=n_absent,
    )


def mean_of(songs: Sequence[np.ndarray], seed: int) -> Mean:
    """The mean of all numbers but NaN, and its interval when songs are drawn as whole.

    >>> mean_of([np.array([1.0, 3.0]), np.array([2.0, np.nan])], 0)
    Mean(value_db=2.0, n=3, interval=Interval(low=2.0, high=2.0))
    """
    told = [one[~np.isnan(one)] for one in songs]
    sums = np.array([float(one.sum()) for one in told if len(one)])
    counts = np.array([float(len(one)) for one in told if len(one)])
    if not len(counts):
        return Mean(math.nan, 0)
    interval = ratio_interval(sums, counts, np.random.default_rng(seed))
    return Mean(float(sums.sum() / counts.sum()), int(counts.sum()), interval)


def _level_db(power: float, reference: float) -> float:
    if power <= 0 or reference <= 0:
        return SILENCE_DB
    return max(10 * math.log10(power / reference), SILENCE_DB)
