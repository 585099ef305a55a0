"""Perceptrons of many streams at once: a copy each, computed side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class StreamPerceptron(nn.Module):
    """One perceptron a stream, all of one shape, with ReLU between the layers.

    Weights are one tensor a layer, [stream, in, out]. With `normalised`, a batch normalisation
    stands between each hidden layer and its ReLU, of which every stream has its own. A value is
    then shared between the data of a batch while training, so all data of all streams must be
    given; without it, or in eval mode, single ones may be left out.
    """

    def __init__(
        self,
        n_streams: int,
        widths: Sequence[int],
        normalised: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.n_streams, self.widths = n_streams, tuple(widths)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        self.norms = nn.ModuleList()
        for layer, (n_in, n_out) in enumerate(pairwise(widths)):
            last = layer == len(widths) - 2
            spread = math.sqrt((1 if last else 2) / n_in)
            weight = torch.randn(n_streams, n_in, n_out, generator=generator)
            self.weights.append(nn.Parameter(spread * weight))
            self.biases.append(nn.Parameter(torch.zeros(n_streams, n_out)))
            if normalised and not last:
                self.norms.append(nn.BatchNorm1d(n_streams * n_out))

    def forward(
        self, inputs: Float[Tensor, "batch stream in"]
    ) -> Float[Tensor, "batch stream out"]:
        """What every stream gives for its own input."""
        values = inputs.transpose(0, 1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.baddbmm(bias[:, None], values, weight)
            if layer < len(self.weights) - 1:
                values = torch.relu(self._normed(layer, values))
        return values.transpose(0, 1)

    def some(
        self, inputs: Float[Tensor, "batch stream in"], wanted: Bool[Tensor, "batch stream"]
    ) -> Float[Tensor, "wanted out"]:
        """What `forward` gives where `wanted`, row by row of `wanted.T.nonzero()`; no more work.

        Not while normalisations learn: the mean of a batch is not that of the wanted.
        """
        # taken apart once: the gradient of one stream's slice would be as large as all of them
        weights = [weight.unbind() for weight in self.weights]
        biases = [bias.unbind() for bias in self.biases]
        outputs = []
        for stream in range(self.n_streams):
            values = inputs[wanted[:, stream], stream]
            for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                values = torch.addmm(bias[stream], values, weight[stream])
                if layer < len(weights) - 1:
                    values = torch.relu(self._normed_one(layer, stream, values))
            outputs.append(values)
        return torch.cat(outputs)

    def _normed(self, layer: int, values: Tensor) -> Tensor:
        if not self.norms:
            return values
        n_streams, n_batch, width = values.shape
        flat = values.transpose(0, 1).reshape(n_batch, n_streams * width)
        return self.norms[layer](flat).view(n_batch, n_streams, width).transpose(0, 1)

    def _normed_one(self, layer: int, stream: int, values: Tensor) -> Tensor:
        if not self.norms:
            return values
        norm = self.norms[layer]
        assert isinstance(norm, nn.BatchNorm1d)
        width = values.shape[-1]
        own = slice(stream * width, (stream + 1) * width)
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None
        assert variance is not None
        scale = norm.weight[own] * (variance[own] + norm.eps).rsqrt()
        return (values - mean[own]) * scale + norm.bias[own]
