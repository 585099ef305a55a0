"""Scores as a table for people."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diarize.formats.text import one_word
from diarize.scoring.bootstrap import N_RESAMPLES
from diarize.scoring.calibration import DEFINITION as CALIBRATION
from diarize.scoring.calibration import Bin, Calibration
from diarize.scoring.correlation import DEFINITION
from diarize.scoring.grid import Grid, aligned
from diarize.scoring.result import CONVENTIONS, Rates, RecordingScore, Score
from diarize.scoring.speech import exact_share, mean_count_error

if TYPE_CHECKING:
    from rich.console import RenderableType

RATES = ("DER", "miss", "FA", "conf", "correct", "JER")
TOTAL = "TOTAL"
SAID = {convention.name: convention for convention in CONVENTIONS}
WIDTH = 100  # characters a line of the foot takes in plain text
_HASH_SHOWN = 12  # characters: enough to tell two references apart


@dataclass(frozen=True)
class Facts:
    """What a score is worth nothing without: what was compared, where, and what was found odd."""

    reference: str
    reference_sha256: str
    hypothesis: str
    extent: str
    notes: tuple[str, ...] = ()


def grids(score: Score) -> tuple[Grid, ...]:
    """Return the tables of a score: its first convention by recording, then the totals of all.

    Rates are in percent of the reference's speech; `speakers` is found/true and the error. Where
    there is a posterior, how well it is calibrated follows, and the reliability table of all.
    """
    names = list(score.rates)
    first = names[0]
    rows = [_recording_row(recording, first) for recording in score.recordings]
    rows.append(
        (
            TOTAL,
            f"{score.rates[first].total_s:.1f}",
            *_percents(score.rates[first]),
            f"{100 * exact_share(score.counts):.0f} % ok",
            _decimal(score.correlation),
        )
    )
    rows += [(*row, "", "") for row in _interval_rows(score, first)]
    header = ("recording", "speech", *RATES, "speakers", "corr")
    tables = [Grid(_described(first), header, tuple(rows))]
    if len(names) > 1:
        others = []
        for name in names[1:]:
            others.append((name, f"{score.rates[name].total_s:.1f}", *_percents(score.rates[name])))
            others += _interval_rows(score, name)
        title = f"{TOTAL} by: " + "; ".join(_described(name) for name in names[1:])
        tables.append(Grid(title, ("convention", "speech", *RATES), tuple(others)))
    return (*tables, *_calibration_grids(score))


def foot(score: Score, facts: Facts) -> tuple[str, ...]:
    """Return the lines under the table: conventions, definitions, sources and notes."""
    n_posterior = sum(one.from_posterior for one in score.recordings)
    rows = (
        f"the posterior in {n_posterior} of {len(score.recordings)} recordings, else 0/1 activity"
    )
    calibrated = score.calibration is not None
    return (
        "speech: seconds; rates: % of reference speech, in which several at once each count; "
        "DER = miss + FA + conf; miss is the missed-speech rate; correct = 100 - miss - conf",
        "JER: mean over reference speakers of 1 - time shared with the match / time of either",
        "collar: +-0.25 s as NIST's tools say it = 0.5 s, the total width, in pyannote.metrics",
        "speakers: found/true and error; for all, the share of recordings with the right number "
        f"(mean error {_decimal(mean_count_error(score.counts))}); they and corr without a collar",
        f"{DEFINITION} Here: {rows}.",
        *([CALIBRATION] if calibrated else []),
        f"95 %: bootstrap interval over recordings, {N_RESAMPLES} draws; none for one recording",
        f"scored: {facts.extent}",
        f"reference: {facts.reference} (sha256 {facts.reference_sha256[:_HASH_SHOWN]})",
        f"hypothesis: {facts.hypothesis}",
        *(f"note: {note}" for note in facts.notes),
    )


def table_text(score: Score, facts: Facts) -> str:
    """Return the whole as plain aligned text."""
    parts = []
    for grid in grids(score):
        parts += [grid.title, *aligned(grid), ""]
    for line in foot(score, facts):
        parts += textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(parts) + "\n"


def table_rich(score: Score, facts: Facts) -> RenderableType:
    """Return the whole for rich to print on a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for grid in grids(score):
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=0,
            pad_edge=False,
            title=Text(grid.title),
            title_justify="left",
        )
        for index, name in enumerate(grid.header):
            table.add_column(
                name,
                justify="right" if index else "left",
                no_wrap=bool(index),
                overflow="fold",
            )
        for row in grid.rows:
            style = "bold" if row[0] == TOTAL else "dim" if row[0].startswith(" ") else None
            table.add_row(*map(Text, row), style=style)
        parts.append(table)
    return Group(*parts, Text("\n".join(foot(score, facts)), style="dim"))


def _recording_row(recording: RecordingScore, convention: str) -> tuple[str, ...]:
    rates = recording.rates[convention]
    count = recording.count
    return (
        one_word(recording.recording),
        f"{rates.total_s:.1f}",
        *_percents(rates),
        f"{count.n_hypothesis}/{count.n_reference} {count.error:+d}",
        _decimal(recording.correlation),
    )


def _calibration_grids(score: Score) -> tuple[Grid, ...]:
    if score.calibration is None:
        return ()
    rows = [
        _calibration_row(one_word(one.recording), one.calibration)
        for one in score.recordings
        if one.calibration is not None
    ]
    rows.append(_calibration_row(TOTAL, score.calibration))
    return (
        Grid("calibration of the posterior", ("recording", "ECE", "max", "frames"), tuple(rows)),
        Grid(
            f"reliability, {TOTAL}",
            ("posterior", "mean", "share true", "frames"),
            tuple(_bin_row(one) for one in score.calibration.bins),
        ),
    )


def _calibration_row(name: str, found: Calibration) -> tuple[str, ...]:
    return name, _fraction(found.expected_error), _fraction(found.max_error), str(found.n_frames)


def _bin_row(one: Bin) -> tuple[str, ...]:
    means = _fraction(one.mean_posterior), _fraction(one.share_true)
    return f"{one.low:.1f} to {one.high:.1f}", *means, str(one.n_frames)


def _fraction(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _percents(rates: Rates) -> tuple[str, ...]:
    kinds = (rates.missed, rates.false_alarm, rates.confusion, rates.correct)
    return tuple(_decimal(100 * rate) for rate in (rates.der, *kinds, rates.jer))


def _interval_rows(score: Score, convention: str) -> list[tuple[str, ...]]:
    der, jer = score.der_interval[convention], score.jer_interval[convention]
    if der is None or jer is None:
        return []
    blank = [""] * (len(RATES) - 2)  # DER is the first rate, JER the last
    return [
        ("  95 % from", "", _decimal(100 * der.low), *blank, _decimal(100 * jer.low)),
        ("  95 % to", "", _decimal(100 * der.high), *blank, _decimal(100 * jer.high)),
    ]


def _described(name: str) -> str:
    convention = SAID[name]
    overlap = "overlap not scored" if convention.skip_overlap else "overlap scored"
    collar = f"collar +-{convention.collar_s / 2:g} s" if convention.collar_s else "no collar"
    return f"{name} ({collar}, {overlap})"


def _decimal(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
