"""What a report on a model of many betas shows: ladders, edits, samples, curves, scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diarize.corpora.factors import read_set
from diarize.errors import BadCall
from diarize.inference.factors_results import FactorResult, read_factors
from diarize.inference.image_report import curve_section, score_section
from diarize.viz.image_page import Picture, Section
from diarize.viz.sheets import lines_of, sheet


@dataclass(frozen=True)
class FactorReportSettings:
    """The [report] table of a conf of a model of many betas.

    Attributes:
        n_samples: images from nothing that are shown of each kind.
    """

    n_samples: int = 40

    def __post_init__(self) -> None:
        if self.n_samples < 1:
            raise BadCall(f"n_samples = {self.n_samples}; expected 1 or more")


def sections_of(
    data: Path, folder: Path, journal: Path | None, score: Path | None, n_samples: int
) -> list[Section]:
    """The parts of the page, as far as there is something to show.

    Raises:
        BadFile: a result that is not there, a score or a journal that is none.
    """
    result, n_planes = read_factors(folder), read_set(data, "test").n_planes
    found = [score_section(score, "factors")] if score else []
    found += [_ladder(result, n_planes), _noise(result)]
    if result.edits.size:
        found.append(_edits(result, n_planes))
    if result.samples:
        found.append(_samples(result, n_planes, n_samples))
    curves = curve_section(journal) if journal else None
    return [*found, curves] if curves else found


def _ladder(result: FactorResult, n_planes: int) -> Section:
    names = [f"{beta:.3g}" for beta in result.betas]
    rows = np.concatenate([result.originals[:, None], result.ladder.swapaxes(0, 1)], axis=1)
    pictures = [
        Picture(sheet(rows, n_planes, ["image", *names]), "decoded at the beta of each column")
    ]
    if len(result.ladder_denoised):
        down = result.ladder_denoised.swapaxes(0, 1)
        rows = np.concatenate([result.originals[:, None], down], axis=1)
        told = f"taken down to the lowest beta first, by up to {result.about.n_steps} steps"
        pictures.append(Picture(sheet(rows, n_planes, ["image", *names]), told))
    remark = "Test images drawn by the seed of [infer], not chosen; a row each."
    return Section("Beta ladder", remark, pictures=tuple(pictures))


def _noise(result: FactorResult) -> Section:
    figure = lines_of(result.betas, result.sigma.T, "beta", "sigma of each latent")
    growth = f"It grows with exponent {result.about.sigma_growth:.2f} at its start"
    stands = "; a squared sine stands in for it" if result.about.is_sinusoidal else ""
    remark = f"{growth}{stands}." if len(result.betas) > 1 else ""
    return Section("Noise of latents", remark, pictures=(Picture(figure, "learned noise"),))


def _edits(result: FactorResult, n_planes: int) -> Section:
    amounts = [f"{amount:+.1f}" for amount in result.about.amounts]
    pictures = tuple(
        Picture(sheet(rows, n_planes, amounts), f"test image {number}: a direction in each row")
        for number, rows in enumerate(result.edits, 1)
    )
    how = "taken down and decoded" if result.about.can_denoise else "decoded"
    remark = (
        f"Latents at beta {result.about.edit_beta:.3g}, moved by so many deviations, then {how}; "
        "the noise of an image is the same in all of its edits."
    )
    return Section("Edits", remark, pictures=pictures)


def _samples(result: FactorResult, n_planes: int, n_samples: int) -> Section:
    pictures = []
    for name, images in result.samples.items():
        some = images[:n_samples]
        some = some[: len(some) // 10 * 10 or len(some)]
        rows = some.reshape(-1, min(10, len(some)), images.shape[1])
        took = f"{result.about.seconds.get(name, 0):.1f} s for {len(images)}"
        pictures.append(Picture(sheet(rows, n_planes), f"{name}, {took}"))
    return Section("Images from nothing", "The first ones made.", pictures=tuple(pictures))
