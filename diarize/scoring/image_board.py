"""How right systems are on sets of mixtures of images, side by side: as tables and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from diarize.scoring.bootstrap import Interval
from diarize.scoring.grid import Grid
from diarize.scoring.image_tables import image_values, pattern_values, share_values
from diarize.scoring.images import ImageScores
from diarize.scoring.patterns import PatternScores, Share

KNOWN = ("system", "set", "told")


@dataclass(frozen=True)
class Separation:
    """Separated images of one set, held to the true ones.

    Attributes:
        variant: "decoded" as the model gives them, or "masked": the shares of the mixture that
            those have in their sum.
        scores: PSNR and SSIM, and the pairing. "class": the image of each class that is truly on,
            black where it was not found.
        judged: images whose class a classifier sees in them; None without a classifier.
    """

    variant: str
    scores: ImageScores
    judged: Share | None


@dataclass(frozen=True)
class SetScore:
    """One system on one set of mixtures.

    Attributes:
        system: its name.
        set_name: of the mixtures.
        told: what it knows of each mixture beforehand: "K, classes" and the like.
        patterns: which streams are on; None from a system that has no classes.
        separations: none where mixtures have unequal numbers of sources.
        batch: mixtures at once.
        batch_s: median seconds that a batch took, whole.
        coding_s: of that for encoding and decoding alone.
        machine: on which.
    """

    system: str
    set_name: str
    told: str
    patterns: PatternScores | None
    separations: tuple[Separation, ...]
    batch: int
    batch_s: float | None
    coding_s: float | None
    machine: str


@dataclass(frozen=True)
class Learned:
    """What a system learned of how its mixtures are made, and how they are.

    `presence` is pi of each stream; None where a system has none, or where the truth is not known.
    """

    system: str
    presence: tuple[float, ...] | None
    true_presence: float | None
    scale: float | None
    true_scale: float | None


def board(rows: Sequence[SetScore], learned: Sequence[Learned] = ()) -> tuple[Grid, ...]:
    """Return the tables: patterns, each class, separated images, what was learned, and time."""
    with_patterns = [row for row in rows if row.patterns is not None]
    grids = [
        _grid("which streams are on", _PATTERNS, [_pattern_row(row) for row in with_patterns]),
        *(_class_grid(row.system, rows) for row in _first_of_each(with_patterns)),
        _grid("separated images", _IMAGES, [one for row in rows for one in _image_rows(row)]),
        _grid("what was learned, and the truth", _LEARNED, [_learned_row(one) for one in learned]),
        _grid("seconds a batch (median)", _TIMES, [_time_row(row) for row in rows]),
    ]
    return tuple(grid for grid in grids if grid.rows)


def board_values(row: SetScore) -> dict[str, Any]:
    """Return everything of a row for JSON: fractions, dB and seconds, nothing rounded."""
    return {
        "system": row.system,
        "set": row.set_name,
        "told": row.told,
        "patterns": pattern_values(row.patterns) if row.patterns else None,
        "images": [
            {
                "variant": one.variant,
                **image_values(one.scores),
                "judged": share_values(one.judged) if one.judged else None,
            }
            for one in row.separations
        ],
        "batch": row.batch,
        "batch_s": row.batch_s,
        "coding_s": row.coding_s,
        "machine": row.machine,
    }


_PATTERNS = (*KNOWN, "n", "exact %", "95 %", "count %", "macro F1", "micro F1")
_IMAGES = (*KNOWN, "images", "pairing", "n", "PSNR dB", "95 %", "SSIM", "95 %", "judged %")
_LEARNED = ("system", "pi, mean", "least", "most", "true pi", "b", "true b")
_TIMES = (*KNOWN, "mixtures", "encode, decode", "everything", "on")


def _grid(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Grid:
    return Grid(title, header, tuple(rows))


def _known(row: SetScore) -> tuple[str, str, str]:
    return row.system, row.set_name, row.told


def _pattern_row(row: SetScore) -> tuple[str, ...]:
    scores = row.patterns
    assert scores is not None
    return (
        *_known(row),
        str(scores.exact.n),
        _percent(scores.exact),
        _span(scores.exact.interval, 100.0, 2),
        _percent(scores.count),
        _number(scores.macro_f1, 3),
        _number(scores.micro_f1, 3),
    )


def _first_of_each(rows: Sequence[SetScore]) -> list[SetScore]:
    return list({row.system: row for row in rows[::-1]}.values())[::-1]


def _class_grid(system: str, rows: Sequence[SetScore]) -> Grid:
    """F1 of each class, a column a set."""
    own = [row for row in rows if row.system == system and row.patterns is not None]
    assert own[0].patterns is not None
    names = [one.name for one in own[0].patterns.classes]
    header = ("class", *(f"{row.set_name}: {row.told}" for row in own))
    columns = [[one.f1 for one in row.patterns.classes] for row in own if row.patterns]
    cells = zip(*columns, strict=True)
    lines = [
        (name, *(_number(one, 3) for one in line)) for name, line in zip(names, cells, strict=True)
    ]
    return Grid(f"F1 of each class, {system}", header, tuple(lines))


def _image_rows(row: SetScore) -> list[tuple[str, ...]]:
    return [
        (
            *_known(row),
            one.variant,
            one.scores.pairing,
            str(one.scores.n_mixtures * one.scores.n_sources),
            _number(one.scores.psnr_db, 2),
            _span(one.scores.psnr_db_interval, 1.0, 2),
            _number(one.scores.ssim, 3),
            _span(one.scores.ssim_interval, 1.0, 3),
            _percent(one.judged) if one.judged else "-",
        )
        for one in row.separations
    ]


def _learned_row(one: Learned) -> tuple[str, ...]:
    pi = one.presence
    told = (sum(pi) / len(pi), min(pi), max(pi)) if pi else (None, None, None)
    numbers = (*told, one.true_presence, one.scale, one.true_scale)
    return (one.system, *(_number(value, 4) for value in numbers))


def _time_row(row: SetScore) -> tuple[str, ...]:
    times = (_number(value, 4) for value in (row.coding_s, row.batch_s))
    return (*_known(row), str(row.batch), *times, row.machine)


def _percent(share: Share) -> str:
    return _number(100 * share.rate, 2)


def _span(interval: Interval | None, factor: float, n_decimals: int) -> str:
    if interval is None:
        return "-"
    low, high = (_number(factor * value, n_decimals) for value in (interval.low, interval.high))
    return f"{low} to {high}"


def _number(value: float | None, n_decimals: int) -> str:
    return "-" if value is None or value != value else f"{value:.{n_decimals}f}"
