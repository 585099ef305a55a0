"""Scores of patterns and separated images as tables for people, and as values for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from diarize.scoring.bootstrap import Interval
from diarize.scoring.grid import Grid
from diarize.scoring.images import ImageScores
from diarize.scoring.patterns import PatternScores, Share

CLASS_HEADER = ("class", "true", "found", "precision", "recall", "F1")
SUMMARY_HEADER = ("set", "n", "exact", "95 %", "count", "macro F1", "micro F1")
IMAGE_HEADER = ("set", "pairing", "n", "sources", "PSNR dB", "95 %", "SSIM", "95 %")


def pattern_values(scores: PatternScores) -> dict[str, Any]:
    """Return everything of `scores` for JSON: fractions, nothing rounded, None where undefined."""
    return {
        "exact": share_values(scores.exact),
        "count": share_values(scores.count),
        "exact_of": {str(count): share_values(one) for count, one in scores.exact_of.items()},
        "macro_f1": _number(scores.macro_f1),
        "micro_f1": _number(scores.micro_f1),
        "classes": [
            {
                **asdict(one),
                "precision": _number(one.precision),
                "recall": _number(one.recall),
                "f1": _number(one.f1),
            }
            for one in scores.classes
        ],
        "count_confusion": [list(row) for row in scores.count_confusion],
    }


def share_values(share: Share) -> dict[str, Any]:
    """Return a share for JSON: the numbers, the rate, and its 95 % interval."""
    interval = share.interval
    return {
        **asdict(share),
        "rate": _number(share.rate),
        "interval": asdict(interval) if interval is not None else None,
    }


def image_values(scores: ImageScores) -> dict[str, Any]:
    """Return everything of `scores` for JSON: dB and fractions; None where infinite."""
    values = asdict(scores)
    return values | {name: _number(values[name]) for name in ("psnr_db", "ssim")}


def summary_grid(scores: Mapping[str, PatternScores]) -> Grid:
    """Return a row for each set of mixtures: shares in percent, F1 as a fraction."""
    rows = [
        (
            name,
            str(one.exact.n),
            _percent(one.exact.rate),
            _percents(one.exact.interval),
            _percent(one.count.rate),
            _fraction(one.macro_f1),
            _fraction(one.micro_f1),
        )
        for name, one in scores.items()
    ]
    return Grid("patterns", SUMMARY_HEADER, tuple(rows))


def class_grid(scores: PatternScores) -> Grid:
    """Return a row for each class: numbers of mixtures, then fractions."""
    rows = [
        (
            one.name,
            str(one.n_true),
            str(one.n_found),
            *map(_fraction, (one.precision, one.recall, one.f1)),
        )
        for one in scores.classes
    ]
    return Grid("each class", CLASS_HEADER, tuple(rows))


def count_grid(scores: PatternScores) -> Grid:
    """Return how many mixtures have so many streams on: truly down, found across."""
    header = ("true \\ found", *map(str, range(len(scores.count_confusion[0]))))
    rows = [(str(true), *map(str, row)) for true, row in enumerate(scores.count_confusion)]
    return Grid("how many are on", header, tuple(rows))


def image_grid(scores: Mapping[str, ImageScores]) -> Grid:
    """Return a row for each set of separated images."""
    rows = [
        (
            name,
            one.pairing,
            str(one.n_mixtures),
            str(one.n_sources),
            _decimal(one.psnr_db),
            _span(one.psnr_db_interval, _decimal),
            _fraction(one.ssim),
            _span(one.ssim_interval, _fraction),
        )
        for name, one in scores.items()
    ]
    return Grid("separated images", IMAGE_HEADER, tuple(rows))


def _percents(interval: Interval | None) -> str:
    return _span(interval, _percent)


def _span(interval: Interval | None, said: Any) -> str:
    return "-" if interval is None else f"{said(interval.low)} to {said(interval.high)}"


def _percent(value: float) -> str:
    return _decimal(100 * value)


def _decimal(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _fraction(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
