"""Scores of separated songs as tables for people and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from diarize.scoring.bootstrap import N_RESAMPLES
from diarize.scoring.grid import Grid, aligned, markdown
from diarize.scoring.separation_result import ALL, Mean, SeparationScore, SourceScore, SystemScore
from diarize.scoring.separation_windows import HOP_S, LIMIT_DB, WINDOW_S

KNOWS = {"mixture": "floor: the mixture as every stem", "ideal ratio mask": "ceiling: knows them"}
BESIDE = ("si_sdr", "si_sir", "si_sar", "sdr", "song_sdr")


def grids(score: SeparationScore) -> list[Grid]:
    """The tables: every system by both conventions; the first one's ratios; silence and leaks."""
    columns = (*score.sources, ALL)
    both = [
        (system.name, kind, *(_cell(_mean(system, one, kind)) for one in columns))
        for system in score.systems
        for kind in ("msdm", "active")
    ]
    rows = [
        (kind.replace("_", " "), *(_cell(_mean(score.systems[0], one, kind)) for one in columns))
        for kind in BESIDE
    ]
    rows += [tuple(row) for row in _bss_rows(score, columns)]
    return [
        Grid(
            "SI-SDR improvement on the mixture, dB", ("system", "convention", *columns), tuple(both)
        ),
        Grid(
            f"{score.systems[0].name}: ratios where a stem plays, dB", ("", *columns), tuple(rows)
        ),
        Grid("Where a stem does not play", ("", *columns), tuple(_silence(score, columns))),
    ]


def foot(score: SeparationScore) -> list[str]:
    """The lines under the tables: what was scored, and how."""
    system = score.systems[0]
    minutes = score.duration_s / 60
    return [
        f"{len(system.songs)} songs, {minutes:.1f} min; windows of {WINDOW_S:g} s every "
        f"{HOP_S:g} s: {system.n_kept} count, {system.n_left_out} have fewer than two stems",
        "msdm: as published for Slakh2100: silent stems count, 1e-8 is added; where a stem is "
        "silent it tells only how quiet the estimate is",
        f"active: stems that play only, nothing added; a window's ratios end at +-{LIMIT_DB:g} dB",
        "song sdr: of whole songs, plain SDR; sdr: the same in windows; means over windows (songs)",
        f"[low, high]: 95 %, {N_RESAMPLES} resamples of songs as whole",
        *(f"{name}: {what}" for name, what in KNOWS.items()),
        f"reference: {score.reference}, sha256 {score.reference_sha256[:12]} of its samples",
        *score.notes,
    ]


def table_text(score: SeparationScore) -> str:
    """All of it as plain text."""
    parts = ["\n".join([grid.title, *aligned(grid)]) for grid in grids(score)]
    return "\n\n".join([*parts, "\n".join(foot(score))]) + "\n"


def table_markdown(score: SeparationScore) -> str:
    """All of it as Markdown."""
    parts = [f"**{grid.title}**\n\n{markdown(grid)}" for grid in grids(score)]
    return "\n".join(parts) + "\n" + "".join(f"- {line}\n" for line in foot(score))


def json_text(score: SeparationScore) -> str:
    """Everything, songs one by one too; what is no number is null, or "inf" or "-inf"."""
    facts = {
        "conventions": {"window_s": WINDOW_S, "hop_s": HOP_S, "limit_db": LIMIT_DB},
        "reference": score.reference,
        "reference_sha256": score.reference_sha256,
        "duration_s": score.duration_s,
        "notes": list(score.notes),
        "systems": {system.name: _system_facts(system) for system in score.systems},
    }
    return json.dumps(_plain(facts), indent=2, ensure_ascii=False) + "\n"


def _mean(system: SystemScore, source: str, kind: str) -> Mean:
    mean: Mean = getattr(system.sources[source], kind)
    return mean


def _cell(mean: Mean) -> str:
    if not mean.n:
        return "-"
    if mean.interval is None:
        return f"{mean.value_db:.2f}"
    return f"{mean.value_db:.2f} [{mean.interval.low:.1f}, {mean.interval.high:.1f}]"


def _bss_rows(score: SeparationScore, columns: tuple[str, ...]) -> Iterator[list[str]]:
    for system in score.systems:
        if system.bss_eval is not None:
            cells = [_number(system.bss_eval.get(one, math.nan)) for one in columns]
            yield [f"SDR, BSS-eval v4: {system.name}", *cells]


def _silence(score: SeparationScore, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    first = score.systems[0].sources
    yield ("share of windows, %", *(_number(100 * first[one].silent_share) for one in columns))
    for system in score.systems:
        own = [system.sources[one] for one in columns]
        yield (
            f"{system.name}: leak, dB of the mixture",
            *(_number(one.leak_db) for one in own),
        )
        yield (
            f"{system.name}: SI-SDRi, msdm, there alone",
            *(_number(one.silent_msdm_db) for one in own),
        )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"


def _system_facts(system: SystemScore) -> dict[str, Any]:
    songs = {
        name: {
            "windows": song.n_kept,
            "left_out": song.n_left_out,
            "song_sdr_db": dict(song.song_sdr_db),
            "sources": {
                source: {
                    "msdm_db": _mean_of(one.msdm_db),
                    "active_db": _mean_of(one.active_db),
                    "playing": int(one.is_playing.sum()),
                }
                for source, one in song.sources.items()
            },
        }
        for name, song in system.songs.items()
    }
    sources: Mapping[str, SourceScore] = system.sources
    return {
        "windows": system.n_kept,
        "left_out": system.n_left_out,
        "scores": {name: dataclasses.asdict(one) for name, one in sources.items()},
        "bss_eval_v4_sdr_db": system.bss_eval,
        "songs": songs,
    }


def _mean_of(values: Any) -> float:
    known = values[values == values]
    return float(known.mean()) if len(known) else math.nan


def _plain(value: Any) -> Any:
    """Fit for JSON, which has neither NaN nor infinity."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return round(value, 4) if isinstance(value, float) else value
