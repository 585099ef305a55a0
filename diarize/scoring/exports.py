"""Scores as JSON and CSV, for programs: fractions and seconds, nothing rounded."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from diarize.scoring.bootstrap import Interval
from diarize.scoring.calibration import DEFINITION as CALIBRATION
from diarize.scoring.calibration import Calibration
from diarize.scoring.correlation import DEFINITION
from diarize.scoring.result import CONVENTIONS, Rates, Score
from diarize.scoring.speech import exact_share, mean_count_error
from diarize.scoring.table import TOTAL, Facts


def json_text(score: Score, facts: Facts) -> str:
    """Return everything as a JSON object: fractions and seconds; null where undefined.

    `calibration` is only there, in all and in a recording, where there is a posterior.
    """
    total: dict[str, Any] = {
        "count_exact_share": _number(exact_share(score.counts)),
        "count_mean_error": _number(mean_count_error(score.counts)),
        "correlation": _number(score.correlation),
        "rates": {
            name: {
                **_rates(rates),
                "der_interval": _interval(score.der_interval[name]),
                "jer_interval": _interval(score.jer_interval[name]),
            }
            for name, rates in score.rates.items()
        },
        **_calibration(score.calibration),
    }
    recordings = [
        {
            "recording": one.recording,
            "n_reference": one.count.n_reference,
            "n_hypothesis": one.count.n_hypothesis,
            "correlation": _number(one.correlation),
            "correlations": dict(one.correlations),
            "from_posterior": one.from_posterior,
            "rates": {name: _rates(rates) for name, rates in one.rates.items()},
            **_calibration(one.calibration),
        }
        for one in score.recordings
    ]
    definitions = {"correlation": DEFINITION}
    if score.calibration is not None:
        definitions["calibration"] = CALIBRATION
    values = {
        "total": total,
        "recordings": recordings,
        "conventions": {one.name: asdict(one) for one in CONVENTIONS if one.name in score.rates},
        "definitions": definitions,
        **asdict(facts),
    }
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def csv_text(score: Score) -> str:
    """Return a line a recording and convention, then the totals: fractions and seconds.

    Where there is a posterior, the calibration error stands in the lines of the first convention
    only, for no convention changes it.
    """
    sides = [
        (one.recording, name, rates, (one.count.n_reference, one.count.n_hypothesis), one)
        for one in score.recordings
        for name, rates in one.rates.items()
    ] + [(TOTAL, name, rates, ("", ""), score) for name, rates in score.rates.items()]
    lines = []
    for recording, name, rates, counts, owner in sides:
        line: dict[str, Any] = {"recording": recording, "convention": name, **_rates(rates)}
        line |= dict(zip(("n_reference", "n_hypothesis"), counts, strict=True))
        line["correlation"] = _number(owner.correlation)
        interval = score.der_interval[name] if owner is score else None
        line |= {"der_low": "", "der_high": ""}
        if interval is not None:
            line |= {"der_low": interval.low, "der_high": interval.high}
        if score.calibration is not None:
            is_first = name == next(iter(score.rates))
            line |= _calibration_cells(owner.calibration if is_first else None)
        lines.append(line)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _rates(rates: Rates) -> dict[str, float | None]:
    kinds = ("missed", "false_alarm", "confusion", "correct")
    values = asdict(rates) | {kind: getattr(rates, kind) for kind in kinds}
    return {name: _number(value) for name, value in values.items()}


def _calibration(found: Calibration | None) -> dict[str, Any]:
    if found is None:
        return {}
    table = [
        {
            "from": one.low,
            "to": one.high,
            "mean_posterior": _number(one.mean_posterior),
            "share_true": _number(one.share_true),
            "n_frames": one.n_frames,
        }
        for one in found.bins
    ]
    return {"calibration": {**_calibration_cells(found), "reliability": table}}


def _calibration_cells(found: Calibration | None) -> dict[str, Any]:
    if found is None:
        return {"ece": "", "max_calibration_error": ""}
    ece, worst = _number(found.expected_error), _number(found.max_error)
    return {"ece": ece, "max_calibration_error": worst}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _interval(interval: Interval | None) -> Mapping[str, float] | None:
    return asdict(interval) if interval is not None else None
