"""Scores for a report: what `diarize score --json` wrote, as a table of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diarize.errors import BadFile
from diarize.formats.text import read_text
from diarize.viz.reliability import Held

RATES = {
    "der": "DER %",
    "missed": "miss %",
    "false_alarm": "false alarm %",
    "confusion": "confusion %",
    "jer": "JER %",
}


@dataclass(frozen=True)
class Table:
    """Scores as they are to be read: words and numbers already put into text.

    The last `n_totals` rows are about all recordings; `foot` says what the columns mean. `held` is
    what became of the frames that the posterior held about as probable, if there is one.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_totals: int = 0
    foot: str = ""
    held: tuple[Held, ...] = ()


def read_scores(path: Path) -> Table:
    """Return the table: recordings by the first convention, then all of them by each.

    Raises:
        BadFile: the file is not what `diarize score --json` writes.
    """
    try:
        return _table(json.loads(read_text(path)))
    except BadFile:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise BadFile(
            f"{path}: found no scores ({type(error).__name__}: {error}); "
            "give a file that `diarize score --json` wrote"
        ) from None


def _table(scores: Mapping[str, Any]) -> Table:
    conventions, total = scores["conventions"], scores["total"]
    first = next(iter(conventions))
    is_calibrated = "calibration" in total
    rows = [
        (
            one["recording"],
            *_percents(one["rates"][first]),
            f"{one['n_hypothesis']} / {one['n_reference']}",
            _decimal(one["correlation"]),
            *([_calibration_error(one)] if is_calibrated else []),
        )
        for one in scores["recordings"]
    ]
    right = total["count_exact_share"]
    counted = "-" if right is None else f"{100 * right:.0f} % right"
    for name in conventions:
        extra = [counted, _decimal(total["correlation"])]
        extra += [_calibration_error(total)] if is_calibrated else []
        extra = extra if name == first else [""] * len(extra)
        der, *others = _percents(total["rates"][name])
        interval = total["rates"][name]["der_interval"]
        if interval is not None:
            der += f" ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"
        rows.append((f"all, {name}", der, *others, *extra))
    header = ("recording", *RATES.values(), "speakers found / true", "correlation")
    header += ("ECE",) if is_calibrated else ()
    foot = [
        "; ".join(_described(name, rule) for name, rule in conventions.items()),
        f"single recordings: {first}; in brackets: 95 % bootstrap interval over recordings",
        *scores["definitions"].values(),
        f"scored: {scores['extent']}",
    ]
    text = " ".join(f"{line[:1].upper()}{line[1:].rstrip('.')}." for line in foot)
    held = _held(total["calibration"]) if is_calibrated else ()
    return Table(header, tuple(rows), len(rows) - len(scores["recordings"]), text, held)


def _held(calibration: Mapping[str, Any]) -> tuple[Held, ...]:
    return tuple(
        Held(float(one["mean_posterior"]), float(one["share_true"]), int(one["n_frames"]))
        for one in calibration["reliability"]
        if one["n_frames"]
    )


def _calibration_error(scored: Mapping[str, Any]) -> str:
    return _decimal(scored["calibration"]["ece"], 3) if "calibration" in scored else "-"


def _percents(rates: Mapping[str, Any]) -> list[str]:
    return [_decimal(None if rates[key] is None else 100 * rates[key], 1) for key in RATES]


def _decimal(value: float | None, decimals: int = 2) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _described(name: str, rule: Mapping[str, Any]) -> str:
    collar = f"collar ±{rule['collar_s'] / 2:g} s" if rule["collar_s"] else "no collar"
    return f"{name}: {collar}, overlap {'left out' if rule['skip_overlap'] else 'scored'}"
