"""A reliability figure: what a posterior held to be probable, against what was so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from diarize.viz.lanes import PALETTE

SIDE, LEFT, FOOT = 200, 34, 30  # of the square and what is beside and under it, in dots


@dataclass(frozen=True)
class Held:
    """Frames that were held about as probable: their mean posterior, and how many of them were so.

    Both are shares, 0 to 1; a frame counts once for each speaker.
    """

    mean_posterior: float
    share_true: float
    n_frames: int


def reliability(held: Sequence[Held]) -> str:
    """Return the figure as SVG: a dot for each, the larger the more frames it stands for.

    The line from a dot to the diagonal is its calibration error.
    """
    most = max((one.n_frames for one in held), default=1)
    label = "; ".join(f"{_described(one)}" for one in held)
    return (
        f'<svg role="img" aria-label="Reliability of the posterior: {label or "no frames"}" '
        f'viewBox="{-LEFT} -8 {LEFT + SIDE + 8} {SIDE + FOOT + 8}" '
        f'style="max-width:19rem;font-size:10px;fill:var(--faint)">'
        f"{_axes()}{''.join(_dot(one, most) for one in held)}</svg>"
    )


def _axes() -> str:
    lines = "".join(
        f'<path class="tick" d="M0 {at}H{SIDE}M{at} 0V{SIDE}"/>' for at in range(0, SIDE + 1, 40)
    )
    numbers = "".join(
        f'<text x="{at}" y="{SIDE + 12}" text-anchor="middle">{at / SIDE:g}</text>'
        f'<text x="-4" y="{SIDE - at + 3}" text-anchor="end">{at / SIDE:g}</text>'
        for at in range(0, SIDE + 1, 40)
    )
    middle = SIDE // 2
    return (
        f'{lines}<path d="M0 {SIDE}L{SIDE} 0" stroke="currentColor" stroke-dasharray="4 4"/>'
        f'{numbers}<text x="{middle}" y="{SIDE + 26}" text-anchor="middle">posterior</text>'
        f'<text transform="translate(-24 {middle}) rotate(-90)" text-anchor="middle">share true'
        "</text>"
    )


def _dot(one: Held, most: int) -> str:
    x, y = SIDE * one.mean_posterior, SIDE * (1 - one.share_true)
    radius = 2 + 5 * math.sqrt(one.n_frames / most)
    return (
        f'<path d="M{x:.1f} {SIDE - x:.1f}V{y:.1f}" stroke="{PALETTE[0]}" stroke-width="2"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{PALETTE[0]}">'
        f"<title>{_described(one)}</title></circle>"
    )


def _described(one: Held) -> str:
    return f"{one.mean_posterior:.2f} held, {one.share_true:.2f} true, {one.n_frames} frames"
