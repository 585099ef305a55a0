"""What a report on several views shows: views made of one another, samples, maps of latents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from diarize.config import at_least
from diarize.inference.multiview_results import AboutViews, read_about_views, read_made
from diarize.viz.image_page import Picture, Section
from diarize.viz.latents import latent_scatter
from diarize.viz.picture_grid import picture_grid


@dataclass(frozen=True)
class MultiviewReportSettings:
    """The [report] table of a conf of views.

    Attributes:
        n_examples: data of which views are made of one another, the first there are.
        n_samples: of each prior, the first.
        n_mapped: data whose latents are mapped.
    """

    n_examples: int = 3
    n_samples: int = 8
    n_mapped: int = 1500

    def __post_init__(self) -> None:
        at_least(self, n_examples=1, n_samples=1, n_mapped=3)


def view_sections(folder: Path, settings: MultiviewReportSettings) -> tuple[Section, ...]:
    """Return the sections of the result in `folder`; of views that are no images, maps alone.

    Raises:
        BadFile: no result, or a damaged one.
    """
    about = read_about_views(folder)
    maps = (_maps(folder, about, settings),)
    if about.image_shape is None:
        return maps
    return (_across(folder, about, settings), *_samples(folder, about, settings), *maps)


def _across(folder: Path, about: AboutViews, settings: MultiviewReportSettings) -> Section:
    views = range(len(about.view_sizes))
    names = [f"true_{view}" for view in views] + [f"others_{view}" for view in views]
    names += [f"rebuilt_{view}" for view in views]
    names += [f"across_{source}_{target}" for source in views for target in views]
    arrays = read_made(folder, "made", tuple(names))
    pictures = []
    for datum in range(min(settings.n_examples, len(arrays["true_0"]))):
        rows = [[arrays[f"true_{view}"][datum] for view in views]]
        rows += [[arrays[f"across_{source}_{view}"][datum] for view in views] for source in views]
        rows += [[arrays[f"{what}_{view}"][datum] for view in views] for what in _LAST]
        row_names = ["true", *(f"of view {view}" for view in views), "of all others", "rebuilt"]
        figure = picture_grid(
            _images(np.array(rows), about), row_names, [f"view {view}" for view in views]
        )
        pictures.append(Picture(figure, f"datum {datum} of part {about.part}"))
    remark = (
        "Each row has views made of one view: its shared latents, and private latents drawn from "
        "the prior. The last are rebuilt with their own private latents."
    )
    return Section("Views made of one another", remark, pictures=tuple(pictures))


_LAST = ("others", "rebuilt")


def _samples(
    folder: Path, about: AboutViews, settings: MultiviewReportSettings
) -> tuple[Section, ...]:
    views = range(len(about.view_sizes))
    names = tuple(f"sample_{view}" for view in views)
    pictures = []
    for prior in about.priors:
        arrays = read_made(folder, f"samples_{prior}", names)
        rows = np.stack([arrays[name][: settings.n_samples] for name in names])
        figure = picture_grid(_images(rows, about), [f"view {view}" for view in views])
        pictures.append(Picture(figure, f"{prior} prior: a sample each column"))
    remark = "Made of nothing: shared and private latents drawn from a prior."
    return (Section("Samples", remark, pictures=tuple(pictures)),)


def _maps(folder: Path, about: AboutViews, settings: MultiviewReportSettings) -> Section:
    arrays = read_made(folder, f"latents_{about.part}", ("shared", "private", "truths"))
    pictures = []
    for kind in ("shared", "private"):
        for number, label in enumerate(about.labels):
            classes = arrays["truths"][:, 0 if not number else 1]
            known = np.flatnonzero(classes >= 0)[: settings.n_mapped]
            if len(known) < 3:
                continue
            figure = latent_scatter(
                arrays[kind][known, 0].astype(np.float64), classes[known].astype(np.int64)
            )
            pictures.append(Picture(figure, f"{kind} latents of view 0, coloured by {label}"))
    lines = () if pictures else ("no datum has a known class",)
    return Section("Latents", pictures=tuple(pictures), lines=lines)


def _images(
    values: Float[np.ndarray, "row column value"], about: AboutViews
) -> Float[np.ndarray, "row column plane high wide"]:
    assert about.image_shape is not None
    planes, side = about.image_shape
    return values.reshape(*values.shape[:2], planes, side, side)
