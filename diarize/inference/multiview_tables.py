"""Scores of results on several views as tables, side by side, and as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from diarize.inference.multiview_scores import ViewScores
from diarize.scoring.bootstrap import Interval
from diarize.scoring.coherence import Coherence
from diarize.scoring.grid import Grid, aligned, markdown
from diarize.scoring.latent_classes import ClassReading

EMBEDDING = "the judge's last hidden layer"


def view_grids(scores: list[ViewScores]) -> tuple[Grid, ...]:
    """The tables of results side by side, each a row."""
    columns = list(dict.fromkeys(key for one in scores for key in one.readings))
    told = [
        Grid(
            "Classes read off latents, accuracy (mean of views)",
            ("system", *(f"{latent} -> {label}" for latent, label in columns)),
            tuple(_reading_row(one, columns) for one in scores)
            + ((("chance", *(_chance(scores, column) for column in columns)),) if columns else ()),
        )
    ]
    for title, attribute in (
        ("The shared class, read off all views together, accuracy", "together"),
        ("Coherence: share of images that show what they should", "made"),
        (f"Fréchet distance, by {EMBEDDING}", "distances"),
    ):
        names = list(dict.fromkeys(name for one in scores for name in getattr(one, attribute)))
        if names:
            rows = [
                (one.about.name, *(_cell(getattr(one, attribute).get(name)) for name in names))
                for one in scores
            ]
            if attribute == "together":
                rows.append(("chance", *(_cell(_together_chance(scores, name)) for name in names)))
            if attribute == "made":
                rows.append(("chance", *(_cell(_first_chance(scores, name)) for name in names)))
            told.append(Grid(title, ("system", *names), tuple(rows)))
    rebuilt = [one for one in scores if one.psnr_db is not None]
    if rebuilt:
        rows = [(one.about.name, f"{one.psnr_db:.2f}") for one in rebuilt]
        told.append(Grid("Rebuilt from posterior means", ("system", "PSNR dB"), tuple(rows)))
    return tuple(told)


def views_text(scores: list[ViewScores]) -> str:
    """The tables as plain text."""
    blocks = [[grid.title, *aligned(grid)] for grid in view_grids(scores)]
    return "\n\n".join("\n".join(block) for block in [*blocks, foot(scores)]) + "\n"


def views_markdown(scores: list[ViewScores]) -> str:
    """The tables in Markdown."""
    blocks = [f"### {grid.title}\n\n{markdown(grid)}" for grid in view_grids(scores)]
    lines = "\n".join(f"- {line}" for line in foot(scores))
    return "\n".join([*blocks, lines]) + "\n"


def views_json(scores: list[ViewScores]) -> str:
    """Everything as JSON, tables included."""
    told = {
        "tables": [
            {"title": grid.title, "header": grid.header, "rows": grid.rows}
            for grid in view_grids(scores)
        ],
        "foot": foot(scores),
        "systems": [_values(one) for one in scores],
    }
    return json.dumps(told, indent=2) + "\n"


def foot(scores: list[ViewScores]) -> list[str]:
    """What stands under the tables."""
    first = scores[0]
    lines = [
        f"{first.about.data['corpus']}, part {first.about.part}; classes read by logistic "
        "regression on posterior means of training data"
    ]
    for label, share in first.judged_right.items():
        lines.append(f"the judge tells the {label} of true images right in {share:.3f}")
    lines += [f"{one.about.name}: weights {one.about.checksum[:12]}" for one in scores]
    return lines + [f"{one.about.name}: {note}" for one in scores for note in one.notes]


def _reading_row(one: ViewScores, columns: list[tuple[str, str]]) -> tuple[str, ...]:
    return (one.about.name, *(_accuracy(one.readings.get(column)) for column in columns))


def _accuracy(each: tuple[ClassReading, ...] | None) -> str:
    return "-" if not each else f"{np.mean([one.accuracy for one in each]):.3f}"


def _chance(scores: list[ViewScores], column: tuple[str, str]) -> str:
    each = next((one.readings[column] for one in scores if column in one.readings), ())
    return "-" if not each else f"{np.mean([one.chance for one in each]):.3f}"


def _first_chance(scores: list[ViewScores], name: str) -> float | None:
    return next((one.chances[name] for one in scores if name in one.chances), None)


def _together_chance(scores: list[ViewScores], name: str) -> float | None:
    return next((one.together[name].chance for one in scores if name in one.together), None)


def _cell(value: Coherence | ClassReading | float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, ClassReading):
        return f"{value.accuracy:.3f}" + _between(value.interval)
    if isinstance(value, Coherence):
        return f"{value.share:.3f}" + _between(value.interval)
    return f"{value:.3f}"


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"


def _values(one: ViewScores) -> dict[str, Any]:
    return {
        "name": one.about.name,
        "checksum": one.about.checksum,
        "part": one.about.part,
        "data": one.about.data,
        "readings": {
            f"{latent} -> {label}": [
                {"accuracy": view.accuracy, "chance": view.chance, "n_test": view.n_test}
                for view in each
            ]
            for (latent, label), each in one.readings.items()
        },
        "together": {
            name: {"accuracy": read.accuracy, "chance": read.chance, "n_test": read.n_test}
            for name, read in one.together.items()
        },
        "coherence": {
            name: {"share": made.share, "n_made": made.n_made, "chance": one.chances.get(name)}
            for name, made in one.made.items()
        },
        "frechet": {"embedding": EMBEDDING, **one.distances},
        "psnr_db": one.psnr_db,
        "judge_right": dict(one.judged_right),
        "notes": list(one.notes),
    }
