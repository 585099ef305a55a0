"""Maps of a latent space: what is decoded where, and where the data lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from diarize.errors import BadCall
from diarize.viz.images import GREYS
from diarize.viz.lanes import PALETTE
from diarize.viz.timeline import DOTS_PER_IN, FAINT, GRID, drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAP_IN = 6.0
MARKS = "os^D"  # colours come round after eight classes, marks after thirty-two


@dataclass(frozen=True)
class Plane:
    """A plane through a latent space: a point in it, and two directions at right angles.

    `shares` are the parts of the data's variance along the directions, 0 to 1. A direction is as
    long as the data's deviation along it, so that 1 step is one deviation.
    """

    centre: Float[np.ndarray, " latent"]
    directions: Float[np.ndarray, "2 latent"]
    shares: tuple[float, float]

    def points(
        self, reach: float = 2.0, n_steps: int = 15
    ) -> Float[np.ndarray, "step step latent"]:
        """Return a square grid of latents, `reach` deviations to each side.

        The first axis goes down the picture: its first row lies farthest along the second
        direction. Give the decoder's images of these to `latent_map`.
        """
        steps = np.linspace(-reach, reach, n_steps)
        along, up = self.directions
        return self.centre + steps[None, :, None] * along + steps[::-1, None, None] * up

    def places(self, latents: Float[np.ndarray, "datum latent"]) -> Float[np.ndarray, "datum 2"]:
        """Return where in the plane the latents lie, in deviations."""
        lengths = np.square(self.directions).sum(axis=1)
        return (latents - self.centre) @ self.directions.T / np.where(lengths > 0, lengths, 1)


def principal_plane(latents: Float[np.ndarray, "datum latent"]) -> Plane:
    """Return the plane through the mean along which the data vary most (PCA).

    Each direction's largest part is made positive, so that the same data give the same picture.

    Raises:
        BadCall: fewer than two data or two latents, or values that are no numbers.
    """
    if min(latents.shape) < 2:
        raise BadCall(f"found latents of shape {latents.shape}; a plane takes two data of two")
    if not np.isfinite(latents).all():
        raise BadCall("the latents have values that are NaN or infinite")
    latents = latents.astype(np.float64)
    centre = latents.mean(axis=0)
    _, lengths, directions = np.linalg.svd(latents - centre, full_matrices=False)
    directions = directions[:2]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    deviations = lengths[:2] / np.sqrt(len(latents))
    total = float(np.square(lengths).sum()) or 1.0
    first, second = (float(length) ** 2 / total for length in lengths[:2])
    return Plane(centre, directions * np.sign(largest) * deviations[:, None], (first, second))


def latent_map(
    images: Float[np.ndarray, "down along row column"], reach: float = 2.0, title: str = ""
) -> Figure:
    """Return a figure of images decoded on a grid of latents, as `Plane.points` gives them."""
    from matplotlib.figure import Figure

    n_down, n_along, n_rows, n_columns = images.shape
    if not images.size:
        raise BadCall(f"found no images (shape {images.shape}); there must be one to draw")
    sheet = images.swapaxes(1, 2).reshape(n_down * n_rows, n_along * n_columns)
    figure = Figure(
        figsize=(MAP_IN, MAP_IN * sheet.shape[0] / sheet.shape[1]),
        dpi=DOTS_PER_IN,
        layout="constrained",
        facecolor="white",
    )
    axes = figure.subplots()
    # a picture's outer images lie on the reach itself, their edges half a step beyond
    across, upward = (reach * count / max(count - 1, 1) for count in (n_along, n_down))
    extent = (-across, across, -upward, upward)
    axes.imshow(sheet, cmap=GREYS, vmin=0, vmax=1, extent=extent, aspect="auto")
    axes.set_xlabel("first direction, in deviations", fontsize=8, color=FAINT)
    axes.set_ylabel("second direction", fontsize=8, color=FAINT)
    axes.set_title(drawable(title), loc="left", fontsize=9, color=FAINT, parse_math=False)
    axes.tick_params(length=0, labelsize=8, labelcolor=FAINT)
    return figure


def latent_scatter(
    latents: Float[np.ndarray, "datum latent"],
    classes: Int[np.ndarray, " datum"],
    names: Sequence[str] | None = None,
) -> Figure:
    """Return a figure of where the latents lie in their principal plane, coloured by class.

    Raises:
        BadCall: as `principal_plane`, or a class without a name.
    """
    from matplotlib.figure import Figure

    plane = principal_plane(latents)
    present = np.unique(classes)
    if names is not None and not 0 <= present[0] <= present[-1] < len(names):
        raise BadCall(f"classes go {present[0]} to {present[-1]}; found {len(names)} names")
    places = plane.places(latents)
    figure = Figure(
        figsize=(MAP_IN + 1, MAP_IN), dpi=DOTS_PER_IN, layout="constrained", facecolor="white"
    )
    axes = figure.subplots()
    for index, number in enumerate(present.tolist()):
        along, up = places[classes == number].T
        mark = MARKS[index // len(PALETTE) % len(MARKS)]
        name = str(number) if names is None else drawable(names[number])
        hue = PALETTE[index % len(PALETTE)]
        axes.scatter(along, up, s=9, marker=mark, color=hue, alpha=0.6, linewidth=0, label=name)
    shares = [f"{100 * share:.0f} % of the variance" for share in plane.shares]
    axes.set_xlabel(f"first direction, in deviations ({shares[0]})", fontsize=8, color=FAINT)
    axes.set_ylabel(f"second direction ({shares[1]})", fontsize=8, color=FAINT)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=FAINT)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False
    )
    return figure
