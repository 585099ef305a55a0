"""What a report on mixtures of images shows: examples by chance, maps of latents, curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from diarize.config import at_least
from diarize.corpora.chance import generator_of
from diarize.corpora.digit_mixtures import DigitMixtures, as_floats, read_mixtures
from diarize.corpora.digit_sets import read_images
from diarize.errors import BadCall, BadFile
from diarize.formats.text import read_text
from diarize.inference.image_results import ImageResult, Origin, read_about
from diarize.inference.image_sets import read_checked
from diarize.models.contract import Autoencoder
from diarize.scoring.grid import Grid
from diarize.scoring.images import best_permutation
from diarize.viz.curves import learning_curves
from diarize.viz.image_page import Picture, Section
from diarize.viz.images import Separated, separations
from diarize.viz.latents import latent_map, principal_plane

CHANCE = "drawn by the seed of [report], not chosen"


@dataclass(frozen=True)
class ImageReportSettings:
    """The [report] table of a conf of images.

    Attributes:
        n_examples: mixtures shown of each set, right ones and wrong ones each.
        n_maps: streams whose latents are mapped, evenly spread over all.
        n_mapped: images of a stream by which its map is laid.
        n_steps: images a side of a map.
        reach: of a map to each side, in deviations.
        seed: of the choice of examples.
    """

    n_examples: int = 5
    n_maps: int = 4
    n_mapped: int = 300
    n_steps: int = 11
    reach: float = 2.5
    seed: int = 1

    def __post_init__(self) -> None:
        at_least(self, n_examples=1, n_maps=0, n_mapped=2, n_steps=2, seed=0)
        if not 0 < self.reach < float("inf"):
            raise BadCall(f"reach = {self.reach}; expected a number above 0")


def example_sections(
    data: Path, folder: Path, settings: ImageReportSettings
) -> tuple[Section, ...]:
    """Return a section a set of results: mixtures that are all right, and some that are not.

    Where a set was done with the number of sources unknown, that is what is shown.

    Raises:
        BadFile: results that are not there, or are of other sets than those in `data`.
    """
    sections = []
    for name, modes in read_about(folder).there.items():
        mode = modes[-1]
        truth = read_mixtures(data / f"{name}.safetensors")
        result = read_checked(folder, data, name, mode)
        pictures = []
        for kind, rows in _examples(result, truth, name, settings).items():
            shown = [_separated(result, truth, row) for row in rows.tolist()]
            caption = f"{kind}: {len(rows)}, {CHANCE}"
            pictures.append(Picture(separations(shown, truth.streams), caption))
        remark = f"Number of sources {mode}. "
        if result.pattern is None:
            remark += (
                "This model knows no classes and has no probabilities: its images stand in the "
                "order that fits the true ones best."
            )
        else:
            remark += (
                "The mixture; the streams found to be on, blue where they truly are and orange "
                "where not; the true images; the probability of each stream."
            )
        sections.append(Section(f"Mixtures of {name}", remark, pictures=tuple(pictures)))
    return tuple(sections)


def map_section(
    model: object, data: Path, has_classes: bool, settings: ImageReportSettings
) -> Section | None:
    """Return maps of latents of some streams; None of a model that cannot be asked for them.

    The plane of a map is that of most variance among the latents of single test images of the
    stream's class; for a model without classes, of all sources of single images.
    """
    if not isinstance(model, Autoencoder) or not settings.n_maps:
        return None
    digits = read_images(data / "test_digits.safetensors")
    n_streams = int(digits.labels.max()) + 1 if has_classes else 1
    n_maps = min(settings.n_maps, n_streams)
    streams = np.linspace(0, n_streams - 1, n_maps).round().astype(int).tolist()
    pictures = []
    for stream in streams:
        chosen = digits.images[digits.labels == stream] if has_classes else digits.images
        images = as_floats(chosen[:: max(len(chosen) // settings.n_mapped, 1)])
        if len(images) < 2:
            continue
        figure = latent_map(
            _decoded_plane(model, images.reshape(len(images), -1), stream, settings),
            settings.reach,
        )
        told = f"stream {stream}" if has_classes else "any source"
        pictures.append(Picture(figure, f"{told}: what is decoded where, in the principal plane"))
    remark = f"Laid by up to {settings.n_mapped} single test images each."
    return Section("Latents", remark, pictures=tuple(pictures))


def curve_section(journal: Path, origin: Origin | None = None) -> Section | None:
    """Return the curves of the training whose journal this is; None if it is not there.

    `origin` tells what mixtures were made with; None where there are no mixtures.

    Raises:
        BadFile: it is no journal.
    """
    if not journal.exists():
        return None
    try:
        rows = [json.loads(line) for line in read_text(journal).splitlines()]
    except ValueError:
        raise BadFile(
            f"{journal}: a line of it is no JSON; expected a training's journal"
        ) from None
    if origin is None:
        return Section("Learning", pictures=(Picture(learning_curves(rows), "loss of each phase"),))
    figure = learning_curves(rows, origin.presence, origin.noise_scale)
    caption = "loss, pi of each stream, b; broken lines: what the mixtures were made with"
    return Section("Learning", pictures=(Picture(figure, caption),))


def score_section(path: Path, verb: str = "images") -> Section:
    """Return the tables that `diarize VERB score -o` wrote.

    Raises:
        BadFile: it did not write this.
    """
    try:
        told: dict[str, Any] = json.loads(read_text(path))
        grids = tuple(
            Grid(one["title"], tuple(one["header"]), tuple(map(tuple, one["rows"])))
            for one in told["tables"]
        )
        return Section("Scores", grids=grids, lines=tuple(told["foot"]))
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: not what diarize {verb} score -o writes") from None


def _examples(
    result: ImageResult, truth: DigitMixtures, name: str, settings: ImageReportSettings
) -> dict[str, Int64[np.ndarray, " row"]]:
    """Some mixtures of each kind there is, in ascending order."""
    chance = generator_of(settings.seed, "examples", name)
    rows = np.arange(len(truth))
    kinds = {"some mixtures": rows[truth.pattern.any(axis=1)]}
    if result.pattern is not None:
        right = (result.pattern == truth.pattern).all(axis=1) & truth.pattern.any(axis=1)
        wrong = (result.pattern != truth.pattern).any(axis=1)
        kinds = {"all streams right": rows[right], "not all right": rows[wrong]}
    return {
        kind: np.sort(chance.permutation(found)[: settings.n_examples])
        for kind, found in kinds.items()
        if len(found)
    }


def _separated(result: ImageResult, truth: DigitMixtures, row: int) -> Separated:
    """One mixture, as a picture has it."""
    start, count = int(result.starts()[row]), int(result.counts[row])
    images = _square(result.images[start : start + count].astype(np.float32))
    true = _square(truth.sources[row])
    true_classes = _on(truth.pattern[row])
    if result.pattern is None or result.presence is None:
        order = best_permutation(images[None], true[None])[0]
        classes, presence = true_classes, np.zeros(len(truth.streams), np.float32)
        images = images[order]
    else:
        classes, presence = _on(result.pattern[row]), result.presence[row]
    mixture = _square(truth.mixtures[row][None])[0]
    return Separated(mixture, images, classes, true_classes, presence, true)


@torch.no_grad()
def _decoded_plane(
    model: Autoencoder,
    images: Float32[np.ndarray, "image pixel"],
    stream: int,
    settings: ImageReportSettings,
) -> Float32[np.ndarray, "step step row column"]:
    """What a stream decodes on a grid in the principal plane of its latents of `images`."""
    device = next((one.device for one in _parameters(model)), torch.device("cpu"))
    means = model.encode(torch.from_numpy(images).to(device))[0]
    plane = principal_plane(means[:, stream].cpu().numpy())
    points = plane.points(settings.reach, settings.n_steps).reshape(-1, means.shape[2])
    latents = means.new_zeros(len(points), *means.shape[1:])
    latents[:, stream] = torch.from_numpy(points).to(means)
    decoded = model.decode(latents)[:, stream].cpu().numpy().clip(0, 1)
    return _square(decoded).reshape(settings.n_steps, settings.n_steps, *_square(decoded).shape[1:])


def _parameters(model: Autoencoder) -> Sequence[torch.Tensor]:
    return list(model.parameters()) if isinstance(model, torch.nn.Module) else []


def _on(pattern: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(pattern).tolist())


def _square(images: Float32[np.ndarray, "image pixel"]) -> Float32[np.ndarray, "image row column"]:
    side = round(images.shape[1] ** 0.5)
    return images.reshape(len(images), side, side)
