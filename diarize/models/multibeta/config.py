"""The `[model]` table of a multi-beta VAE."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from diarize.errors import BadCall


@dataclass(frozen=True)
class DiffusionSettings:
    """The second stage: how latents are taken from a high beta to the lowest.

    Attributes:
        n_steps: of the whole way, from the highest beta to the lowest.
        width, n_blocks: of the network.
        delta: whether it has a second head, for how the encoder's mean moves between two levels;
            without, the mean is taken to stay, as in the ablation.
        delta_weight: of that head's loss.
        schedule: of the noise. "learned" is the autoencoder's own; "sinusoidal" rises as a squared
            sine between its ends; "auto" is the learned one, unless that grows slower than
            linearly at its start.
        least_growth: the exponent under which growth is slower than linear.
    """

    n_steps: int = 1000
    width: int = 256
    n_blocks: int = 3
    delta: bool = True
    delta_weight: float = 1.0
    schedule: Literal["auto", "learned", "sinusoidal"] = "auto"
    least_growth: float = 1.0

    def __post_init__(self) -> None:
        _at_least(self, 2, "n_steps")
        _at_least(self, 1, "width", "n_blocks")
        _at_least(self, 0, "delta_weight", "least_growth")


@dataclass(frozen=True)
class MultiBetaSettings:
    """How large the model is, and for which betas.

    Attributes:
        n_values: of an image, all its planes together; each plane is square.
        n_planes: 1 for grey, 3 for colours.
        n_latents: numbers that describe an image.
        widths: channels of the encoder's convolutions, each of which halves both sides; the decoder
            has them in reverse.
        n_hidden: width of the dense layers between convolutions and latents.
        n_features: of beta, by which every layer is conditioned.
        lowest_beta, highest_beta: between which the model is trained; equal, it is a beta-VAE.
        spacing: of the betas between: "log", or "linear".
        first_betas: the least and the highest at which training begins; empty: all at once. Low
            betas alone tangle up latents, which later ones then keep to.
        widening: epochs of the first phase between which that range grows to all betas.
        scale: the standard deviation of the noise of a pixel; beta counts in nats under it.
        noise: the deviation of latents is learned for each beta ("level"), as the paper has it, or
            for each image too ("image"), as VAEs usually do; then there is no second stage.
        rescaling: the loss at beta is divided by (1 + beta) to this power.
        n_knots: of the curve of the latents' deviation over the levels.
        stage_one: weights of a finished first phase, for a training of the second alone.
        stage_one_hash: the hash that they must have; empty: any.
        diffusion: the second stage.
    """

    n_values: int = 1024
    n_planes: int = 1
    n_latents: int = 10
    widths: tuple[int, ...] = (16, 32, 32)
    n_hidden: int = 128
    n_features: int = 12
    lowest_beta: float = 0.1
    highest_beta: float = 1000.0
    spacing: Literal["log", "linear"] = "log"
    first_betas: tuple[float, ...] = ()
    widening: tuple[int, int] = (0, 0)
    scale: float = 0.1
    noise: Literal["level", "image"] = "level"
    rescaling: float = 1.0
    n_knots: int = 24
    stage_one: Path | None = None
    stage_one_hash: str = ""
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)

    def __post_init__(self) -> None:
        _at_least(self, 1, "n_values", "n_planes", "n_latents", "n_hidden", "n_knots")
        _at_least(self, 2, "n_features")
        _at_least(self, 0, "rescaling")
        for name in ("lowest_beta", "highest_beta", "scale"):
            if not 0 < getattr(self, name) < math.inf:
                raise BadCall(f"{name} = {getattr(self, name)}; a number above 0 would be right")
        if self.lowest_beta > self.highest_beta:
            raise BadCall(
                f"lowest_beta = {self.lowest_beta} is above highest_beta = {self.highest_beta}"
            )
        self._check_widening()
        if not self.widths or min(self.widths) < 1:
            raise BadCall(f"widths = {list(self.widths)}; at least one, none of them 0")
        side = math.isqrt(self.n_values // self.n_planes)
        if side**2 * self.n_planes != self.n_values:
            raise BadCall(f"n_values = {self.n_values} is no {self.n_planes} square planes")
        if side % 2 ** len(self.widths):
            raise BadCall(
                f"{len(self.widths)} widths halve a side of {side} pixels as often; "
                f"a multiple of {2 ** len(self.widths)} would be right"
            )

    def _check_widening(self) -> None:
        first, (begin, end) = self.first_betas, self.widening
        if bool(first) != (end > 0):
            raise BadCall(
                f"first_betas = {list(first)}, widening = {[begin, end]}; both, or neither (empty, "
                "and zeros), would be right"
            )
        if first and not (
            len(first) == 2 and self.lowest_beta <= first[0] <= first[1] <= self.highest_beta
        ):
            raise BadCall(
                f"first_betas = {list(first)}; two, the lower one first, between lowest_beta = "
                f"{self.lowest_beta} and highest_beta = {self.highest_beta} would be right"
            )
        if first and not 0 <= begin < end:
            raise BadCall(
                f"widening = {[begin, end]}; epochs from 0, the first one before the other"
            )

    @property
    def side(self) -> int:
        """Pixels of an image."""
        return math.isqrt(self.n_values // self.n_planes)

    @property
    def has_levels(self) -> bool:
        """Whether there is more than one beta, so that a second stage has somewhere to go."""
        return self.lowest_beta < self.highest_beta and self.noise == "level"


def _at_least(settings: object, least: int, *names: str) -> None:
    for name in names:
        if not least <= getattr(settings, name) < math.inf:
            found = getattr(settings, name)
            raise BadCall(f"{name} = {found}; {least} or more would be right")
