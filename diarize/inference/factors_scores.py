"""Results of models of many betas held to the truth, side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from diarize.config import at_least
from diarize.corpora.factors import FactorImages, read_set
from diarize.errors import BadFile
from diarize.inference.factors_results import FactorResult, read_factors
from diarize.inference.image_sets import sha256_of
from diarize.scoring.disentanglement import mutual_information_gap, total_auroc_difference
from diarize.scoring.disentanglement_dci import dci
from diarize.scoring.frechet import frechet_distance
from diarize.scoring.grid import Grid, aligned, markdown

ON = 0.05  # nats of KL from which a latent is in use
Embedding = Callable[[Float32[np.ndarray, "image value"]], np.ndarray]


@dataclass(frozen=True)
class FactorScoreSettings:
    """The [score] table of a conf of a model of many betas.

    Attributes:
        n_dci: test images that DCI is of, half of them to learn on; 0 leaves it out.
        n_components: of the training images, on which images are laid for the Fréchet distance
            where no classifier is given.
        seed: of folds and trees.
    """

    n_dci: int = 4000
    n_components: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, n_dci=0, n_components=1, seed=0)


@dataclass(frozen=True)
class LevelScores:
    """How a model does at one beta; None where that cannot be told."""

    model: str
    beta: float
    tad: float | None
    tad_deviation: float | None
    n_captured: float | None
    mig: float | None
    disentanglement: float | None
    completeness: float | None
    informativeness: float | None
    psnr_db: float
    psnr_denoised_db: float | None
    n_on: int


@dataclass(frozen=True)
class FactorScores:
    """All scores, and what should be known about them."""

    levels: tuple[LevelScores, ...]
    distances: Mapping[str, float]
    embedding: str
    notes: tuple[str, ...]


def score_factors(
    data: Path,
    folders: Mapping[str, Path],
    settings: FactorScoreSettings,
    judge: tuple[str, Embedding] | None = None,
) -> FactorScores:
    """Scores of the results in `folders`, by the names that tables call them.

    `judge` names an embedding for the Fréchet distance, which else is that of the principal
    components of the training images. Where nothing is known of images, scores that need it are
    left out, and a note says so.

    Raises:
        BadFile: a result that is not there, or is of other test images.
    """
    test = read_set(data, "test")
    levels, distances, notes = [], {}, []
    told, embed = judge or _principal(data, settings.n_components)
    sha256 = sha256_of(data / "test.safetensors")
    if not test.factors:
        notes.append("no factors are known of these images: TAD, MIG and DCI are left out")
    wanted = embed(test.floats())
    for name, folder in folders.items():
        result = read_factors(folder)
        if result.about.test_sha256 != sha256:
            raise BadFile(f"{folder}: made of other test images than those in {data}; infer again")
        if result.about.is_sinusoidal:
            notes.append(
                f"{name}: a squared sine stands in for the learned noise, which grows with "
                f"exponent {result.about.sigma_growth:.2f}"
            )
        levels += [_level(name, result, number, test, settings) for number in _each(result)]
        for kind, images in result.samples.items():
            found = embed(images.astype(np.float32) / 255)
            distances[f"{name}, {kind}"] = frechet_distance(found, wanted)
    if distances:
        train = embed(read_set(data, "train").floats()[: len(test)])
        distances["training images"] = frechet_distance(train, wanted)
    return FactorScores(tuple(levels), distances, told, tuple(notes))


def grids(scores: FactorScores) -> tuple[Grid, ...]:
    """The scores as tables."""
    head = ("model", "beta", "TAD", "caught", "MIG", "D", "C", "I", "PSNR", "denoised", "on")
    rows = tuple(
        (
            one.model,
            f"{one.beta:.3g}",
            _with(one.tad, one.tad_deviation),
            _shown(one.n_captured, 1),
            *(_shown(value, 3) for value in (one.mig, one.disentanglement, one.completeness)),
            _shown(one.informativeness, 3),
            f"{one.psnr_db:.2f}",
            _shown(one.psnr_denoised_db, 2),
            str(one.n_on),
        )
        for one in scores.levels
    )
    found = [Grid("Latents and reconstruction (PSNR in dB)", head, rows)]
    if scores.distances:
        near = tuple((name, f"{value:.4g}") for name, value in scores.distances.items())
        title = f"Fréchet distance to the test images, by {scores.embedding}"
        found.append(Grid(title, ("images", "distance"), near))
    return tuple(found)


def as_text(scores: FactorScores) -> str:
    """The tables for a terminal, with their notes."""
    lines = [line for grid in grids(scores) for line in (grid.title, *aligned(grid), "")]
    return "\n".join([*lines, *scores.notes]) + "\n"


def as_markdown(scores: FactorScores) -> str:
    """The tables in Markdown, with their notes."""
    parts = [f"### {grid.title}\n\n{markdown(grid)}" for grid in grids(scores)]
    return "\n".join([*parts, *(f"- {note}" for note in scores.notes)]) + "\n"


def as_json(scores: FactorScores) -> str:
    """All numbers, and the tables as they are shown."""
    told: dict[str, Any] = asdict(scores)
    told["tables"] = [asdict(grid) for grid in grids(scores)]
    told["foot"] = list(scores.notes)
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _each(result: FactorResult) -> range:
    return range(len(result.betas))


def _level(
    name: str, result: FactorResult, level: int, test: FactorImages, settings: FactorScoreSettings
) -> LevelScores:
    means, sigma = result.means[level], result.sigma[level]
    kl = 0.5 * (np.square(means).mean(axis=0) + sigma**2 - 1) - np.log(sigma)
    known: dict[str, float | None] = dict.fromkeys(
        (
            *("tad", "tad_deviation", "n_captured", "mig"),
            *("disentanglement", "completeness", "informativeness"),
        )
    )
    if test.factors:
        known |= _known(means, test, settings)
    denoised = result.psnr_denoised_db
    return LevelScores(
        model=name,
        beta=float(result.betas[level]),
        **known,
        psnr_db=float(result.psnr_db[level].mean()),
        psnr_denoised_db=float(denoised[level].mean()) if len(denoised) else None,
        n_on=int((kl >= ON).sum()),
    )


def _known(
    means: Float[np.ndarray, "image latent"], test: FactorImages, settings: FactorScoreSettings
) -> dict[str, float | None]:
    """The scores of latents for which the truth must be known."""
    levels = test.levels[: len(means)]
    attributes = test.attributes()[0][: len(means)]
    tad = total_auroc_difference(means, attributes, settings.seed)
    told: dict[str, float | None] = {
        "tad": tad.tad,
        "tad_deviation": tad.tad_deviation,
        "n_captured": tad.n_captured,
        "mig": mutual_information_gap(means, levels).mig,
    }
    if settings.n_dci:
        some = slice(settings.n_dci)
        ordered = tuple(factor.is_ordered for factor in test.factors)
        told |= asdict(dci(means[some], levels[some], ordered, settings.seed))
    return told


def _principal(data: Path, n_components: int) -> tuple[str, Embedding]:
    """Images laid on the directions in which training images vary most."""
    train = read_set(data, "train").floats()[:20_000]
    centre = train.mean(axis=0)
    spread = (train - centre).T @ (train - centre) / len(train)
    vectors = np.linalg.eigh(spread)[1][:, ::-1][:, :n_components]

    def embed(images: Float32[np.ndarray, "image value"]) -> np.ndarray:
        return np.asarray((images - centre) @ vectors)

    return f"the first {vectors.shape[1]} principal components of the training images", embed


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _with(value: float | None, deviation: float | None) -> str:
    return "-" if value is None or deviation is None else f"{value:.3f} +- {deviation:.3f}"
