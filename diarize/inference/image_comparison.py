"""Results of several systems on the same sets of mixtures, scored and told side by side."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from diarize.corpora.digit_mixtures import read_mixtures
from diarize.corpora.digit_sets import read_images
from diarize.errors import BadCall, BadFile
from diarize.inference.image_results import Origin, read_about
from diarize.inference.image_scores import (
    ImageScoreSettings,
    Judge,
    judge_share,
    learned,
    score_result,
)
from diarize.inference.image_sets import read_checked, sha256_of
from diarize.scoring.bootstrap import N_RESAMPLES
from diarize.scoring.grid import Grid, aligned, markdown
from diarize.scoring.image_board import SetScore, board, board_values
from diarize.scoring.image_tables import share_values
from diarize.scoring.patterns import Share

WIDTH = 100  # characters a line of the foot takes in plain text
_HASH_SHOWN = 12
OUTSIDE = {
    "clip": "values over 1 cut",
    "scale": "images over 1 divided by their largest value",
    "keep": "values over 1 left as they are",
}


@dataclass(frozen=True)
class Comparison:
    """Scores of systems.

    Attributes:
        rows: one a system, set and mode; those of a set together.
        origins: of the systems, the first the one that the others stand beside.
        settings: by which they were scored.
        judge: how often the classifier that judges images is right on single test images.
        sets: the sha256 of each set of mixtures.
        notes: what is not there, and why.
    """

    rows: tuple[SetScore, ...]
    origins: tuple[Origin, ...]
    settings: ImageScoreSettings
    judge: Share | None
    sets: Mapping[str, str]
    notes: tuple[str, ...]

    def grids(self) -> tuple[Grid, ...]:
        """The tables."""
        return board(self.rows, [learned(origin) for origin in self.origins])


def compare(
    data: Path,
    result: Path,
    beside: Mapping[str, Path],
    settings: ImageScoreSettings,
    judge: Judge | None = None,
) -> Comparison:
    """Score the folder of results `result`, and those `beside` it, by the sets in `data`.

    Raises:
        BadFile: results that are not there, or `result` is of other sets than those in `data`.
        BadCall: two systems of one name.
    """
    main = read_about(result)
    systems = [(result, main)]
    for name, folder in beside.items():
        about = read_about(folder)
        systems.append((folder, replace(about, origin=replace(about.origin, name=name))))
    origins = tuple(about.origin for _, about in systems)
    names = [origin.name for origin in origins]
    if len(set(names)) < len(names):
        raise BadCall(f"systems called {', '.join(names)}; expected each by a name of its own")
    rows, notes = [], []
    for set_name in main.there:
        truth = read_mixtures(data / f"{set_name}.safetensors")
        if judge is not None and truth.streams != tuple("0123456789"):
            judge = None
            notes.append(f"nothing is judged: the classifier knows digits, {set_name} has others")
        for folder, about in systems:
            for mode in about.there.get(set_name, ()):
                try:
                    found = read_checked(folder, data, set_name, mode)
                except BadFile as error:
                    if folder == result:
                        raise
                    notes.append(f"{about.origin.name} left out: {error}")
                    continue
                rows.append(score_result(found, truth, about.origin, settings, judge))
    for _, about in systems:
        notes += [f"{about.origin.name}, {what}: {why}" for what, why in about.missing.items()]
    own = _of_clean_digits(data, judge) if judge is not None else None
    sets = {name: sha256_of(data / f"{name}.safetensors") for name in main.there}
    return Comparison(tuple(rows), origins, settings, own, sets, tuple(notes))


def foot(comparison: Comparison) -> tuple[str, ...]:
    """Return the lines under the tables: what is what, and what is not there."""
    share = comparison.judge
    judge = (
        "no classifier was given (--judge), so nothing is judged"
        if share is None
        else "judged: images in which a classifier sees the true class; of clean test images it "
        f"is right on {100 * share.rate:.2f} % of {share.n}"
    )
    labels = "; ".join(
        f"{origin.name}: {100 * origin.labelled_share:g} %"
        for origin in comparison.origins
        if origin.labelled_share is not None
    )
    hashes = ", ".join(f"{name} {sha256[:_HASH_SHOWN]}" for name, sha256 in comparison.sets.items())
    return (
        "told: what a system knows of a mixture beforehand: K, the number of its sources; classes, "
        "that each source is of one of the classes it was taught",
        f"share of the training images that come with labels, used or not: {labels or 'not known'}",
        "exact: mixtures with all streams right; count: with as many as there are; both with the "
        "Wilson 95 % interval; F1: macro over classes, micro over all",
        "PSNR, SSIM: means over images at a data range of 1, "
        f"{OUTSIDE[comparison.settings.outside]}; SSIM in windows of 7 x 7; "
        f"95 %: bootstrap over mixtures, {N_RESAMPLES} draws",
        "images: decoded as they are, or masked: their shares in their sum, times the mixture",
        "pairing: order: both ascending by class, one by one (as in arXiv 2510.15669); "
        "permutation: of least squared error; class: the image of each true class, black if missed",
        judge,
        "b: the scale that explains what is left of the mixtures best, noise and all the model "
        "misses: so it is seldom under the true one, which is that of the noise alone",
        f"sets (sha256): {hashes}",
        *(f"note: {note}" for note in comparison.notes),
    )


def comparison_text(comparison: Comparison) -> str:
    """Return all of it as plain text."""
    parts = []
    for grid in comparison.grids():
        parts += [grid.title, *aligned(grid), ""]
    for line in foot(comparison):
        parts += textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(parts) + "\n"


def comparison_markdown(comparison: Comparison) -> str:
    """Return all of it in Markdown."""
    parts = [f"**{grid.title}**\n\n{markdown(grid)}" for grid in comparison.grids()]
    return "\n".join([*parts, "".join(f"- {line}\n" for line in foot(comparison))])


def comparison_json(comparison: Comparison) -> str:
    """Return all of it as JSON: nothing rounded, and the tables as they are shown besides."""
    values: dict[str, Any] = {
        "rows": [board_values(row) for row in comparison.rows],
        "systems": [asdict(origin) for origin in comparison.origins],
        "settings": asdict(comparison.settings),
        "judge": share_values(comparison.judge) if comparison.judge is not None else None,
        "sets": dict(comparison.sets),
        "tables": [asdict(grid) for grid in comparison.grids()],
        "foot": foot(comparison),
    }
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _of_clean_digits(data: Path, judge: Judge) -> Share:
    digits = read_images(data / "test_digits.safetensors")
    images = digits.images.reshape(len(digits), -1).astype("float32") / 255
    return judge_share(judge, images, digits.labels)
