"""Iterative deblending: noise becomes data in steps, by a network that says what is under it.

Data at level a from 0 to 1 are a * data + (1 - a) * noise.

Source: E. Heitz, L. Belcour and T. Chambon, "Iterative alpha-(de)blending: a minimalist
deterministic diffusion model", 2023 (arXiv 2305.03486).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.errors import BadCall

Data = Float[Tensor, "batch channel frame"]
Components = Float[Tensor, "batch component channel frame"]
Predict = Callable[[Tensor, Tensor], Tensor]  # (data at their levels, the levels) -> clean data
Impose = Callable[[Tensor], Tensor]
OPERATORS = ("mean", "sum", "min", "max")


def blended(
    clean: Float[Tensor, "batch ..."],
    noise: Float[Tensor, "batch ..."],
    level: Float[Tensor, " batch"],
) -> Float[Tensor, "batch ..."]:
    """Data at their levels: 0 is noise alone, 1 is none.

    >>> blended(torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([0.25])).tolist()
    [[0.25, 0.25]]
    """
    share = level.view(-1, *[1] * (clean.ndim - 1))
    return share * clean + (1 - share) * noise


def clean_of(
    difference: Float[Tensor, "batch ..."],
    noisy: Float[Tensor, "batch ..."],
    level: Float[Tensor, " batch"],
) -> Float[Tensor, "batch ..."]:
    """The data under noise, from their difference to that noise: form "difference" as "clean"."""
    return noisy + (1 - level.view(-1, *[1] * (noisy.ndim - 1))) * difference


def levels_of(n_steps: int, bend: float = 1.0) -> list[float]:
    """Levels from 0 to 1, with steps that grow or fall: above 1, `bend` takes small ones first.

    >>> levels_of(4), levels_of(2, 2.0)
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.25, 1.0])
    """
    if n_steps < 1:
        raise BadCall(f"{n_steps} steps; expected 1 or more")
    return [(step / n_steps) ** bend for step in range(n_steps + 1)]


def deblend(
    predict: Predict,
    noise: Float[Tensor, "batch ..."],
    n_steps: int,
    *,
    bend: float = 1.0,
    impose: Impose | None = None,
) -> Float[Tensor, "batch ..."]:
    """Data from noise in `n_steps` calls of `predict`; nothing is drawn on the way.

    x <- d + (1 - next) / (1 - level) * (x - d), with d the clean data as predicted: for predictions
    of the difference that is the published x <- x + (next - level) * difference. `impose` is given
    the data before each step and at the end, and returns them with what is known put back.
    """
    levels, data = levels_of(n_steps, bend), noise
    for here, there in pairwise(levels):
        data = data if impose is None else impose(data)
        clean = predict(data, data.new_full((len(data),), here))
        data = clean + (1 - there) / (1 - here) * (data - clean)
    return data if impose is None else impose(data)


def composed(components: Components, operator: str, *, logarithmic: bool = False) -> Data:
    """The mixture of components; `logarithmic` data are natural logarithms of what adds up.

    >>> parts = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)
    >>> [composed(parts, name).item() for name in OPERATORS]
    [2.0, 4.0, 1.0, 3.0]
    """
    if operator not in OPERATORS:
        raise BadCall(f"no operator {operator!r}; there are {', '.join(OPERATORS)}")
    if operator in ("min", "max"):
        return components.amin(1) if operator == "min" else components.amax(1)
    if not logarithmic:
        return components.mean(1) if operator == "mean" else components.sum(1)
    total = components.logsumexp(1)
    if operator == "sum":
        return total
    return total - torch.log(total.new_tensor(float(components.shape[1])))
