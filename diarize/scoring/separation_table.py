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
from diarize.scoring.separation_windows import LIMIT_DB, MSDM

KNOWS = {"mixture": "floor: the mixture as every stem", "ideal ratio mask": "ceiling: knows them"}
RATIOS = {"si_sdr": "SI-SDR", "si_sir": "SI-SIR", "si_sar": "SI-SAR"}
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
    more = []
    if score.permuted or score.codec or score.rule != MSDM:
        table = [
            (system.name, told, *(_cell(_mean(system, one, kind)) for one in columns))
            for system in score.systems
            for kind, told in RATIOS.items()
        ]
        title = f"Ratios against {_held_to(score)}, dB"
        more.append(Grid(title, ("system", "", *columns), tuple(table)))
    silence = []
    if score.rule == MSDM or score.systems[0].sources[ALL].n_absent:
        quiet = tuple(_silence(score, columns))
        silence.append(Grid("Where a stem does not play", ("", *columns), quiet))
    return [
        *more,
        Grid(
            "SI-SDR improvement on the mixture, dB", ("system", "convention", *columns), tuple(both)
        ),
        Grid(
            f"{score.systems[0].name}: ratios where a stem plays, dB", ("", *columns), tuple(rows)
        ),
        *silence,
    ]


def foot(score: SeparationScore) -> list[str]:
    """The lines under the tables: what was scored, and how."""
    system = score.systems[0]
    minutes = score.duration_s / 60
    return [
        f"{len(system.songs)} songs, {minutes:.1f} min; windows of {score.rule.window_s:g} s every "
        f"{score.rule.hop_s:g} s: {system.n_kept} count, {system.n_left_out} {_why_not(score)}",
        *_terms(score),
        "msdm: as published for Slakh2100: silent stems count, 1e-8 is added; where a stem is "
        "silent it tells only how quiet the estimate is",
        f"active: stems that play only, nothing added; a window's ratios end at +-{LIMIT_DB:g} dB",
        "song sdr: of whole songs, plain SDR; sdr: the same in windows; means over windows (songs)",
        f"[low, high]: 95 %, {N_RESAMPLES} resamples of songs as whole",
        *(f"{name}: {what}" for name, what in KNOWS.items()),
        f"reference: {score.reference}, sha256 {score.reference_sha256[:12]} of its samples",
        *score.notes,
    ]


def _asked(score: SeparationScore) -> tuple[SystemScore, ...]:
    """The systems themselves, without floor and ceilings."""
    return score.systems[: -3 if score.codec else -2]


def _held_to(score: SeparationScore) -> str:
    return "the true stems" + (f" as {score.codec} has them" if score.against == "codec" else "")


def _why_not(score: SeparationScore) -> str:
    if not score.rule.all_play:
        return "have fewer than two stems"
    return f"have a stem below a root mean square of {score.rule.sounding_rms:g}"


def _terms(score: SeparationScore) -> Iterator[str]:
    """What is told of components without names, and of codecs, where there are such."""
    if score.permuted:
        named = [one.name for one in _asked(score) if one.name not in score.permuted]
        yield (
            "order of components: that of the highest mean SI-SDR over each whole song, chosen by "
            f"the truth (an oracle): {', '.join(score.permuted)}"
        )
        yield from [f"by name: {', '.join(named)}"] if named else []
    if score.codec and score.against == "raw":
        yield f"codec {score.codec}: true stems sent through it: ceiling of what it makes"
    elif score.codec:
        yield (
            f"reference: the true stems sent through the codec {score.codec}; who plays, and the "
            "mixture, are of the stems themselves; true stems: those as they are"
        )


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
        "conventions": dataclasses.asdict(score.rule) | {"limit_db": LIMIT_DB},
        "codec": score.codec,
        "against": score.against,
        "permuted": list(score.permuted),
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
        if score.permuted or score.rule != MSDM:
            levels = (f"{_number(one.absent_db)} ({_number(one.absent_dbfs)})" for one in own)
            yield (f"{system.name}: in any window without it, dB of the mixture (dBFS)", *levels)


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
