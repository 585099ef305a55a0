"""A small network that says which digit an image shows, to judge separated images by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.config import at_least
from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses

_IMAGES_AT_ONCE = 1000


@dataclass(frozen=True)
class DigitClassifierSettings:
    """How large.

    Attributes:
        side: pixels a side of the square images.
        n_classes: how many there are to tell apart.
        channels: of the convolutions; each is followed by a halving of both sides.
        kernel: pixels a side that a convolution sees; odd.
        n_hidden: width of the layer before the last.
    """

    side: int = 28
    n_classes: int = 10
    channels: tuple[int, ...] = (16, 32)
    kernel: int = 5
    n_hidden: int = 96

    def __post_init__(self) -> None:
        at_least(self, n_classes=1, n_hidden=1)
        if not self.channels or min(self.channels) < 1:
            raise BadCall(f"channels = {self.channels}; expected at least one, none of them 0")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise BadCall(f"kernel = {self.kernel}; expected an odd number")
        if self.side >> len(self.channels) < 1:
            raise BadCall(
                f"side = {self.side} leaves nothing after {len(self.channels)} halvings; "
                f"expected {2 ** len(self.channels)} or more"
            )


class DigitClassifier(nn.Module):
    """The network and its training, for `diarize.training`.

    Whether its images are moved or bent in training is the supply's business.
    """

    settings_type = DigitClassifierSettings
    phases = ("experts",)
    n_right: Tensor
    n_seen: Tensor

    def __init__(self, settings: DigitClassifierSettings) -> None:
        super().__init__()
        self.settings = settings
        layers: list[nn.Module] = []
        for before, after in zip((1, *settings.channels[:-1]), settings.channels, strict=True):
            layers += [
                nn.Conv2d(before, after, settings.kernel, padding=settings.kernel // 2, bias=False),
                nn.MaxPool2d(2),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        n_features = settings.channels[-1] * (settings.side >> len(settings.channels)) ** 2
        self.network = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(n_features, settings.n_hidden, bias=False),
            nn.BatchNorm1d(settings.n_hidden),
            nn.ReLU(),
            nn.Linear(settings.n_hidden, settings.n_classes),
        )
        self.register_buffer("n_right", torch.tensor(0))
        self.register_buffer("n_seen", torch.tensor(0))

    def begin(self, phase: str) -> None:
        """Set modes for the only phase, "experts": labelled images of one digit each."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there is 'experts'")
        self.requires_grad_(True)
        self.train()

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """Return the cross-entropy of the labels; there is no chance in it.

        Raises:
            BadCall: images of another size, values that are no numbers, fewer than two images, or
                labels that are missing or name no class.
        """
        images, labels = self._checked(batch.inputs), self._labels(batch)
        if self.training and len(images) < 2:
            raise BadCall("a batch of one image; the batch norm of a training wants two or more")
        scores = self.network(images)
        right = (scores.detach().argmax(dim=1) == labels).sum()
        if self.training:
            self.n_right += right
            self.n_seen += len(labels)
        total = nn.functional.cross_entropy(scores, labels)
        return Losses(total, {"accuracy": right / len(labels)})

    def end_epoch(self) -> Mapping[str, float]:
        """Return the share of the epoch's images that were told right, as they came."""
        n_seen = int(self.n_seen)
        found = {"accuracy": int(self.n_right) / n_seen} if n_seen else {}
        self.n_right.zero_()
        self.n_seen.zero_()
        return found

    def classify(self, images: Float[Tensor, "batch pixel"]) -> Float[Tensor, "batch class"]:
        """Return each image's probabilities of the classes, which sum to 1.

        Raises:
            BadCall: images of another size, or values that are no numbers.
        """
        squares = self._checked(images)
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                scores = torch.cat([self.network(part) for part in squares.split(_IMAGES_AT_ONCE)])
        finally:
            self.train(was_training)
        return scores.softmax(dim=1)

    def _labels(self, batch: Batch) -> Int[Tensor, " batch"]:
        labels, n_classes = batch.labels, self.settings.n_classes
        if labels is None or len(labels) != len(batch):
            n_labels = 0 if labels is None else len(labels)
            raise BadCall(f"found {n_labels} labels for {len(batch)} images; expected one each")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < n_classes:
            raise BadCall(
                f"labels go {int(labels.min())} to {int(labels.max())}; "
                f"expected 0 to {n_classes - 1}"
            )
        return labels.long()

    def _checked(self, images: Tensor) -> Float[Tensor, "batch 1 row column"]:
        side = self.settings.side
        if images.ndim != 2 or images.shape[1] != side**2:
            raise BadCall(f"images of shape {tuple(images.shape)}; expected batch x {side**2}")
        if not bool(torch.isfinite(images).all()):
            raise BadCall("images with values that are NaN or infinite")
        return images.reshape(-1, 1, side, side)
