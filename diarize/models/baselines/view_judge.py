"""Small networks that say which digit each view shows, and in which quadrant, to judge views by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diarize.config import at_least
from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses

_IMAGES_AT_ONCE = 500


@dataclass(frozen=True)
class ViewJudgeSettings:
    """How large.

    Attributes:
        n_views: how many views there are; each has a network of its own.
        n_planes, side: of the square images.
        n_shared: classes of what all views show.
        n_private: classes of what is each view's own; 0 where there are none.
        widths: of the convolutions; each is followed by a halving of both sides.
        n_hidden: width of the layer before the last: the embedding.
    """

    n_views: int = 5
    n_planes: int = 3
    side: int = 64
    n_shared: int = 10
    n_private: int = 4
    widths: tuple[int, ...] = (24, 48, 96)
    n_hidden: int = 128

    def __post_init__(self) -> None:
        at_least(self, n_views=1, n_planes=1, n_shared=1, n_hidden=1)
        if self.n_private < 0 or not self.widths or min(self.widths) < 1:
            raise BadCall(
                f"n_private = {self.n_private}, widths = {list(self.widths)}; expected 0 or more, "
                "and numbers from 1"
            )
        if self.side >> len(self.widths) < 1:
            raise BadCall(
                f"side = {self.side} leaves nothing after {len(self.widths)} halvings; expected "
                f"{2 ** len(self.widths)} or more"
            )


class OneView(nn.Module):
    """The network of one view: an embedding, and classes of what is in it."""

    def __init__(self, settings: ViewJudgeSettings) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((settings.n_planes, *settings.widths)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        n_features = settings.widths[-1] * (settings.side >> len(settings.widths)) ** 2
        layers += [
            nn.Flatten(),
            nn.Linear(n_features, settings.n_hidden, bias=False),
            nn.BatchNorm1d(settings.n_hidden),
            nn.ReLU(),
        ]
        self.trunk = nn.Sequential(*layers)
        self.last = nn.Linear(settings.n_hidden, settings.n_shared + settings.n_private)
        self.shape = (settings.n_planes, settings.side, settings.side)

    def forward(self, images: Float[Tensor, "batch value"]) -> Tensor:
        """The embedding of each image."""
        return self.trunk(images.view(-1, *self.shape))


class ViewJudge(nn.Module):
    """The networks of all views, and their training, for `diarize.training`."""

    settings_type = ViewJudgeSettings
    phases = ("views",)

    def __init__(self, settings: ViewJudgeSettings) -> None:
        super().__init__()
        self.settings = settings
        self.views = nn.ModuleList(OneView(settings) for _ in range(settings.n_views))

    def begin(self, phase: str) -> None:
        """Set modes for the only phase, "views"."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there is {self.phases[0]!r}")
        self.requires_grad_(True)
        self.train()

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """The cross-entropy of what is shared and of what is a view's own, a mean over views.

        Raises:
            BadCall: data of another size, or whose truth is not told.
        """
        truths = getattr(batch, "truths", None)
        n_columns = 1 + (self.settings.n_views if self.settings.n_private else 0)
        if truths is None or truths.shape[1] != n_columns:
            n_told = 0 if truths is None else truths.shape[1]
            raise BadCall(f"{n_told} truths a datum; expected {n_columns}, to learn to judge by")
        costs, right = [], []
        for view, images in enumerate(self._views(batch.inputs)):
            shared, private = self._scores(view, self.views[view](images))
            costs.append(functional.cross_entropy(shared, truths[:, 0]))
            right.append((shared.detach().argmax(1) == truths[:, 0]).float().mean())
            if self.settings.n_private:
                costs.append(functional.cross_entropy(private, truths[:, 1 + view]))
        total = torch.stack(costs).sum() / self.settings.n_views
        return Losses(total, {"accuracy": torch.stack(right).mean()})

    def end_epoch(self) -> Mapping[str, float]:
        """Nothing is kept over an epoch."""
        return {}

    @torch.no_grad()
    def embed(
        self, view: int, images: Float[Tensor, "batch value"]
    ) -> Float[Tensor, "batch hidden"]:
        """What the network of a view sees in images of it, before it names any class."""
        return torch.cat([self.views[view](part) for part in images.split(_IMAGES_AT_ONCE)])

    @torch.no_grad()
    def judge(
        self, view: int, images: Float[Tensor, "batch value"]
    ) -> tuple[Float[Tensor, "batch shared"], Float[Tensor, "batch private"]]:
        """Probabilities of what all views show, and of what is this view's own."""
        shared, private = self._scores(view, self.embed(view, images))
        return shared.softmax(1), private.softmax(1)

    def classify(self, values: Float[Tensor, "batch value"]) -> Float[Tensor, "batch class"]:
        """Probabilities of every view's classes, shared and its own, side by side."""
        told = [self.judge(view, images) for view, images in enumerate(self._views(values))]
        return torch.cat([one for both in told for one in both], 1)

    def _scores(self, view: int, embedded: Tensor) -> tuple[Tensor, Tensor]:
        network = self.views[view]
        assert isinstance(network, OneView)
        scores = network.last(embedded)
        return scores[:, : self.settings.n_shared], scores[:, self.settings.n_shared :]

    def _views(self, values: Tensor) -> tuple[Tensor, ...]:
        settings = self.settings
        size = settings.n_planes * settings.side**2
        if values.ndim != 2 or values.shape[1] != settings.n_views * size:
            raise BadCall(
                f"data of shape {tuple(values.shape)}; expected batch x "
                f"{settings.n_views * size}, {settings.n_views} views of {size} values"
            )
        return values.split(size, 1)
