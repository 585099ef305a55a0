"""What every model room promises, and what passes between a model and its users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diarize.corpora.batch import Batch, Supply
from diarize.formats.activity import Activity
from diarize.formats.tracks import Tracks

__all__ = [
    "FAINT_DB",
    "Activity",
    "Attribution",
    "Autoencoder",
    "Batch",
    "Losses",
    "MixtureModel",
    "MultiviewModel",
    "Separator",
    "Supply",
    "Tracks",
    "Trainable",
    "ViewLatents",
]

FAINT_DB = -34.0
"""Of the mixture: a stem that a separator hears so faint for two seconds hardly plays."""


@dataclass(frozen=True)
class Losses:
    """What one batch costs.

    Attributes:
        total: what is minimised, in nats a datum, with its gradient.
        parts: what a journal should keep, by name, without gradients: terms of the total (nats a
            datum) or anything else worth a curve.
        n_counted: how many things, as frames, the total is a mean over; None where these are the
            rows of the batch.
    """

    total: Float[Tensor, ""]
    parts: Mapping[str, Float[Tensor, ""]] = field(default_factory=dict)
    n_counted: Int[Tensor, ""] | None = None


@runtime_checkable
class Trainable(Protocol):
    """A `torch.nn.Module` that `diarize.training` can train without knowing which it is.

    All that changes in training is in its `state_dict`, sums kept for the end of an epoch
    included: that and the optimizer's state are all a training needs to go on.

    To be trained by several processes, or several batches to a step, `loss` is a mean over the
    rows it is given (or tells over what else), draws by `torch.randn` and `torch.rand` with a row
    a datum, and changes buffers only as sums over data, in float64 or whole numbers, grow (see
    the training's README).
    """

    phases: tuple[str, ...]
    """The names of the phases of its training, in their order."""

    def begin(self, phase: str) -> None:
        """Set modes and `requires_grad` for `phase`; called again when a training goes on."""
        ...

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What `batch` costs in the present phase; chance comes from `generator`."""
        ...

    def end_epoch(self) -> Mapping[str, float]:
        """Make the updates that are made once an epoch; return what a journal should keep."""
        ...


@dataclass(frozen=True)
class Attribution:
    """What is in mixtures of images, or of anything else that adds up.

    Attributes:
        sources: what each source looks like. Where `pattern` is known, one a stream, of which only
            those that are on are of use; else one a source, in no order.
        pattern: which streams are on, in the likeliest pattern; None from a model whose sources
            are of no class.
        probability: of that pattern.
        presence: probability of each stream to be on.
    """

    sources: Float[Tensor, "batch source value"]
    pattern: Bool[Tensor, "batch source"] | None = None
    probability: Float[Tensor, " batch"] | None = None
    presence: Float[Tensor, "batch source"] | None = None


@runtime_checkable
class MixtureModel(Protocol):
    """A model that says what a mixture is made of."""

    def attribute(
        self,
        mixtures: Float[Tensor, "batch value"],
        count: int | None = None,
        *,
        n_samples: int = 0,
        generator: torch.Generator | None = None,
    ) -> Attribution:
        """What is in each mixture; `count` is the number of its sources, where that is known.

        With `n_samples` draws of the latents by `generator`, or with the latents at their mean.
        Without a count, a model that must have one raises BadCall.
        """
        ...


@runtime_checkable
class Autoencoder(Protocol):
    """A mixture model that can be asked what it does between mixture and sources.

    Not all can: who wants its latents, or to time it, asks with `isinstance` first.
    """

    def encode(
        self, mixtures: Float[Tensor, "batch value"]
    ) -> tuple[Float[Tensor, "batch source latent"], Float[Tensor, "batch source latent"]]:
        """The means and log variances of the latents of each source."""
        ...

    def decode(
        self, latents: Float[Tensor, "batch source latent"]
    ) -> Float[Tensor, "batch source value"]:
        """What each source looks like."""
        ...


@dataclass(frozen=True)
class ViewLatents:
    """What each view of a datum tells of it.

    Attributes:
        shared_mean, shared_scale: of latents that all views share, as each view has them.
        private_mean, private_scale: of latents that are each view's own.
        joint: means of the shared latents, by all views that are there.
    """

    shared_mean: Float[Tensor, "batch view shared"]
    shared_scale: Float[Tensor, "batch view shared"]
    private_mean: Float[Tensor, "batch view private"]
    private_scale: Float[Tensor, "batch view private"]
    joint: Float[Tensor, "batch shared"]


@runtime_checkable
class MultiviewModel(Protocol):
    """A model of several views of one thing, which can make views of what it knows from others.

    A datum is given as the values of its views one after the other; `view_sizes` says how many each
    has. `present` says which are there.
    """

    @property
    def view_sizes(self) -> tuple[int, ...]:
        """How many values each view has."""
        ...

    @property
    def priors(self) -> tuple[Literal["gaussian", "diffusion"], ...]:
        """Which priors can be drawn from."""
        ...

    def encode_views(
        self,
        values: Float[Tensor, "batch value"],
        present: Bool[Tensor, "batch view"] | None = None,
    ) -> ViewLatents:
        """What each view tells, and all together."""
        ...

    def decode_view(
        self,
        view: int,
        shared: Float[Tensor, "batch shared"],
        private: Float[Tensor, "batch private"],
    ) -> Float[Tensor, "batch value"]:
        """What a view (from 0) looks like."""
        ...

    def draw_prior(
        self,
        view: int | None,
        n_samples: int,
        generator: torch.Generator,
        prior: Literal["gaussian", "diffusion"] = "gaussian",
    ) -> Float[Tensor, "batch latent"]:
        """Latents of a prior: of one view's own, or with `view` None the shared ones."""
        ...


@runtime_checkable
class Separator(Protocol):
    """A model that takes sound apart: `sources` are the names of its stems, in their order.

    It hears one channel at `rate_hz`, and was trained on windows of about `window_s` seconds; a
    longer recording is given to it piece by piece. `inference.separate` makes `Tracks` of that.
    """

    sources: tuple[str, ...]
    rate_hz: int
    window_s: float

    def separate(
        self, mixture: Float[Tensor, "batch 1 time"]
    ) -> Float[Tensor, "batch source time"]:
        """The sound of each source, full scale 1, as long as the mixture."""
        ...


@runtime_checkable
class FinishedSeparator(Separator, Protocol):
    """One whose `separate` is to `hear`, which may be done several times, and then to `finish`."""

    def hear(self, mixture: Float[Tensor, "batch 1 time"]) -> Float[Tensor, "batch source time"]:
        """A first answer for each row."""
        ...

    def finish(
        self, mixture: Float[Tensor, "channel time"], heard: Float[Tensor, "channel source time"]
    ) -> Float[Tensor, "channel source time"]:
        """The answer for all channels of one recording, from first ones, or from their mean."""
        ...
