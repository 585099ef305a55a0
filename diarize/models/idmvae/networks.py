"""The networks of one view: what is seen in it, and what it looks like given its latents.

Source: arXiv 2509.23548, its code, for images and vectors; its text networks are convolutions over
words in the same spirit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diarize.models.idmvae.config import ViewSettings
from diarize.models.idmvae.latents import Posterior

LEAK = 0.2
STEP = 0.1  # what a residual block adds counts so much
LEAST_SCALE = 1e-8  # of a posterior


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, `step` of whose result is added to what came in."""

    def __init__(
        self, n_in: int, n_out: int, norm: str = "none", step: float | None = None
    ) -> None:
        """Without `step` it is the authors' .1, or 1 where channels are normalised."""
        super().__init__()
        n_hidden = min(n_in, n_out)
        self.first_norm, self.second_norm = _norm(n_in, norm), _norm(n_hidden, norm)
        self.step = step or (STEP if norm == "none" else 1.0)
        self.first = nn.Conv2d(n_in, n_hidden, 3, padding=1)
        self.second = nn.Conv2d(n_hidden, n_out, 3, padding=1)
        self.around = nn.Conv2d(n_in, n_out, 1, bias=False) if n_in != n_out else nn.Identity()

    def forward(self, values: Float[Tensor, "batch channel row column"]) -> Tensor:
        """The same size, perhaps other channels."""
        inner = self.first(functional.leaky_relu(self.first_norm(values), LEAK))
        inner = self.second(functional.leaky_relu(self.second_norm(inner), LEAK))
        return self.around(values) + self.step * inner


class Heads(nn.Module):
    """A posterior from a trunk's features; scales are softplus, with no logarithm between."""

    def __init__(
        self, trunk: nn.Module, n_features: int, n_latent: int, standard: bool = False
    ) -> None:
        """With `standard`, means have mean 0 and variance 1 over data."""
        super().__init__()
        self.trunk = trunk
        self.standard = nn.BatchNorm1d(n_latent, affine=False) if standard else nn.Identity()
        self.mean, self.scale = nn.Linear(n_features, n_latent), nn.Linear(n_features, n_latent)

    def forward(self, values: Tensor) -> Posterior:
        """The posterior of one kind of latents, in float32, whatever products are in."""
        features = self.trunk(values)
        mean, scale = self.mean(features).float(), self.scale(features).float()
        return Posterior(self.standard(mean), functional.softplus(scale) + LEAST_SCALE)


class WordTrunk(nn.Module):
    """Words, or probabilities of words, as features: an embedding, then convolutions over time."""

    def __init__(self, view: ViewSettings) -> None:
        super().__init__()
        self.view = view
        self.embedding = nn.Linear(view.n_words, view.widths[0], bias=False)
        layers: list[nn.Module] = []
        for before, after in pairwise(view.widths):
            layers += [nn.LeakyReLU(LEAK), nn.Conv1d(before, after, 4, 2, 1)]
        self.layers = nn.Sequential(*layers, nn.LeakyReLU(LEAK), nn.Flatten())

    def forward(self, values: Tensor) -> Tensor:
        """Features of (batch, length) numbers of words, or (batch, length, word) probabilities."""
        if values.ndim == 2:
            known = values.round().long().clamp(0, self.view.n_words - 1)
            words = functional.embedding(known, self.embedding.weight.T)
        else:
            words = self.embedding(values)
        return self.layers(words.transpose(1, 2))


class ViewNetworks(nn.Module):
    """Two encoders, of what is shared and of what is the view's own, and a decoder of both.

    Values of a view are given flattened; what `decode` gives is what the likelihood is about: the
    mean of an image or vector, flattened, or logarithms of probabilities, (batch, length, word).
    """

    def __init__(self, view: ViewSettings, n_shared: int, n_private: int) -> None:
        super().__init__()
        self.view = view
        self.shared = _encoder(view, n_shared, standard=view.norm == "batch")
        self.private = _encoder(view, n_private, standard=view.norm_private)
        self.decoder = _decoder(view, n_shared + n_private)
        if view.learned_scale:
            self.log_scale = nn.Parameter(torch.tensor(view.scale).log())
        else:
            self.register_buffer("log_scale", torch.tensor(view.scale).log())

    def encode(self, values: Tensor) -> tuple[Posterior, Posterior]:
        """The posteriors of shared and of private latents."""
        return self.encode_shared(values), self.encode_private(values)

    def encode_shared(self, values: Tensor) -> Posterior:
        """The posterior of shared latents."""
        return self.shared(self._shaped(values))

    def encode_private(self, values: Tensor) -> Posterior:
        """The posterior of private latents."""
        return self.private(self._shaped(values))

    def decode(
        self, shared: Float[Tensor, "batch shared"], private: Float[Tensor, "batch private"]
    ) -> Tensor:
        """What the view looks like, as its likelihood takes it."""
        made = self.decoder(torch.cat([shared, private], 1))
        if self.view.kind == "words":
            return made.transpose(1, 2).log_softmax(2)
        if self.view.kind == "image":
            made = functional.pixel_shuffle(made, self.view.patch)
        return made.flatten(1)

    def seen(self, decoded: Tensor) -> Tensor:
        """What was decoded, as an encoder takes it, with its gradient."""
        return decoded.exp() if self.view.kind == "words" else decoded

    def shown(self, decoded: Tensor) -> Float[Tensor, "batch value"]:
        """What was decoded, as a view is given: means, or the likeliest words."""
        return decoded.argmax(2).to(decoded) if self.view.kind == "words" else decoded

    def log_likelihood(
        self, values: Float[Tensor, "batch value"], decoded: Tensor
    ) -> Float[Tensor, " batch"]:
        """The log likelihood of a view, in nats, summed over its values."""
        if self.view.kind == "words":
            known = values.round().long()[..., None]
            return decoded.gather(2, known)[..., 0].sum(1)
        scale = self.log_scale.exp()
        apart = (values - decoded) / scale
        if self.view.likelihood == "laplace":
            return -apart.abs().sum(1) - self.view.size * (2 * scale).log()
        each = 0.5 * apart.square().sum(1)
        return -each - self.view.size * (self.log_scale + 0.5 * torch.tensor(2 * torch.pi).log())

    def _shaped(self, values: Tensor) -> Tensor:
        if self.view.kind == "image":
            side = self.view.side
            planes = values.view(len(values), self.view.channels, side, side)
            places = functional.pixel_unshuffle(planes, self.view.patch)
            return places.contiguous(memory_format=torch.channels_last)
        return values


@contextlib.contextmanager
def kept_statistics(network: nn.Module) -> Iterator[None]:
    """A block in which batch normalisations keep their statistics, whatever they are shown."""
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    momenta = [one.momentum for one in norms]
    for one in norms:
        one.momentum = 0.0
    try:
        yield
    finally:
        for one, momentum in zip(norms, momenta, strict=True):
            one.momentum = momentum


def _norm(n_channels: int, norm: str) -> nn.Module:
    return nn.BatchNorm2d(n_channels) if norm == "batch" else nn.Identity()


def _encoder(view: ViewSettings, n_latent: int, standard: bool = False) -> Heads:
    widths = view.widths
    if view.kind == "vector":
        layers: list[nn.Module] = []
        for before, after in pairwise((view.n_values, *widths)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        return Heads(nn.Sequential(*layers), widths[-1], n_latent)
    if view.kind == "words":
        n_features = widths[-1] * (view.length >> (len(widths) - 1))
        return Heads(WordTrunk(view), n_features, n_latent)
    blocks: list[nn.Module] = [
        nn.Conv2d(view.channels * view.patch**2, widths[0], 3, padding=1),
        ResidualBlock(widths[0], widths[0], view.norm),
    ]
    for before, after in pairwise(widths):
        blocks += [nn.AvgPool2d(3, 2, 1), ResidualBlock(before, after, view.norm)]
    n_features = widths[-1] * (view.n_places >> (len(widths) - 1)) ** 2
    if view.norm == "batch":
        blocks.append(_norm(widths[-1], view.norm))
    trunk = nn.Sequential(*blocks, nn.LeakyReLU(LEAK), nn.Flatten())
    return Heads(trunk, n_features, n_latent, standard)


def _decoder(view: ViewSettings, n_latent: int) -> nn.Module:
    widths = tuple(reversed(view.widths))
    layers: list[nn.Module] = []
    if view.kind == "vector":
        for before, after in pairwise((n_latent, *widths)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(widths[-1], view.n_values))
    if view.kind == "words":
        least = view.length >> (len(widths) - 1)
        layers += [nn.Linear(n_latent, widths[0] * least), nn.Unflatten(1, (widths[0], least))]
        for before, after in pairwise(widths):
            layers += [nn.LeakyReLU(LEAK), nn.ConvTranspose1d(before, after, 4, 2, 1)]
        return nn.Sequential(*layers, nn.LeakyReLU(LEAK), nn.Conv1d(widths[-1], view.n_words, 1))
    least = view.n_places >> (len(widths) - 1)
    layers += [
        nn.Linear(n_latent, widths[0] * least**2),
        nn.Unflatten(1, (widths[0], least, least)),
        ResidualBlock(widths[0], widths[0], step=view.decoder_step),
    ]
    for before, after in pairwise(widths):
        block = ResidualBlock(before, after, step=view.decoder_step)
        layers += [nn.Upsample(scale_factor=2), block]
    n_out = view.channels * view.patch**2
    layers += [nn.LeakyReLU(LEAK), nn.Conv2d(widths[-1], n_out, 3, padding=1)]
    return nn.Sequential(*layers, nn.Sigmoid())
