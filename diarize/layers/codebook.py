"""Vectors by number: the nearest of a codebook, and how the codebook follows what it is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.errors import BadCall

_MOST_AT_ONCE = 2**19  # products at a time: what a processor keeps near
_MOST_FOR_MEANS = 64  # vectors a code that k-means looks at: more change little and cost time


@dataclass(frozen=True)
class CodebookRules:
    """How a codebook is made and kept in use.

    Source: the code of arXiv 2408.07020; there, codes in use are counted in evaluation too, only
    the first of several codebooks begins at means, and dead codes take vectors of the batch before.

    Attributes:
        n_codes: how many vectors it has.
        learning: "gradient", or "average": the running mean of what each code stood for.
        decay: of that running mean, a batch.
        usage_decay: of the count of batches in which a code was used.
        least_usage: a code counted less often than that is dead.
        refresh_every: batches between two looks for dead codes, which take vectors of the batch;
            0 leaves them dead.
        k_means_rounds: by which a codebook begins, on the first batch; 0 begins with some of it.
    """

    n_codes: int = 1024
    learning: Literal["gradient", "average"] = "average"
    decay: float = 0.99
    usage_decay: float = 0.93
    least_usage: float = 1.0
    refresh_every: int = 10
    k_means_rounds: int = 10

    def __post_init__(self) -> None:
        if self.n_codes < 2:
            raise BadCall(f"n_codes = {self.n_codes}; 2 or more would be right")
        for name in ("decay", "usage_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise BadCall(f"{name} = {getattr(self, name)}; 0 to below 1 would be right")
        for name in ("least_usage", "refresh_every", "k_means_rounds"):
            if getattr(self, name) < 0:
                raise BadCall(f"{name} = {getattr(self, name)}; 0 or more would be right")


class Codebook(nn.Module):
    """A codebook for each of `n_groups` kinds of vectors, all with the same number of codes."""

    usage: Tensor
    n_batches: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, n_groups: int, width: int, rules: CodebookRules) -> None:
        super().__init__()
        self.rules = rules
        codes = torch.randn(n_groups, rules.n_codes, width) / math.sqrt(width)
        if rules.learning == "gradient":
            self.codes = nn.Parameter(codes)
        else:
            self.register_buffer("codes", codes)
            self.register_buffer("counts", torch.ones(n_groups, rules.n_codes))
            self.register_buffer("sums", codes.clone())
        self.register_buffer("usage", torch.zeros(n_groups, rules.n_codes))
        self.register_buffer("n_batches", torch.tensor(0))

    def nearest(self, vectors: Float[Tensor, "group n width"]) -> Int[Tensor, "group n"]:
        """The number of the code next to each vector."""
        return nearest(vectors.detach(), self.codes.detach())

    def look_up(self, numbers: Int[Tensor, "group n"]) -> Float[Tensor, "group n width"]:
        """The codes of these numbers."""
        index = numbers[..., None].expand(-1, -1, self.codes.shape[2])
        return torch.gather(self.codes, 1, index)

    @torch.no_grad()
    def start(self, vectors: Float[Tensor, "group n width"], generator: torch.Generator) -> None:
        """Begin at the means of clusters of the first batch; later calls do nothing."""
        if int(self.n_batches):
            return
        rules = self.rules
        means = [k_means(one, rules.n_codes, rules.k_means_rounds, generator) for one in vectors]
        self._put(torch.ones_like(self.usage, dtype=torch.bool), torch.stack(means).flatten(0, 1))

    @torch.no_grad()
    def learn(
        self,
        vectors: Float[Tensor, "group n width"],
        numbers: Int[Tensor, "group n"],
        generator: torch.Generator,
    ) -> None:
        """Take in a batch and the codes it was given: averages, usage, a look for dead codes."""
        rules = self.rules
        hits = torch.zeros_like(self.usage)
        hits.scatter_add_(1, numbers, torch.ones_like(numbers, dtype=hits.dtype))
        if rules.learning == "average":
            sums = torch.zeros_like(self.sums)
            index = numbers[..., None].expand_as(vectors)
            sums.scatter_add_(1, index, vectors.to(sums))
            self.counts.lerp_(hits, 1 - rules.decay)
            self.sums.lerp_(sums, 1 - rules.decay)
            alive = self.counts > 1e-3
            means = self.sums / self.counts.clamp(min=1e-3)[..., None]
            self.codes.copy_(torch.where(alive[..., None], means, self.codes))
        self.usage.mul_(rules.usage_decay).add_((hits > 0).to(self.usage))
        self.n_batches.add_(1)
        if rules.refresh_every and int(self.n_batches) % rules.refresh_every == 0:
            self._refresh(vectors, generator)

    def _refresh(self, vectors: Tensor, generator: torch.Generator) -> None:
        """Dead codes become vectors drawn from the batch."""
        dead = self.usage < self.rules.least_usage
        if bool(dead.any()):
            where = _drawn(dead.sum(1).tolist(), vectors.shape[1], generator)
            drawn = [one[place.to(one.device)] for one, place in zip(vectors, where, strict=True)]
            self._put(dead, torch.cat(drawn))
            self.usage[dead] = self.rules.least_usage

    def _put(self, where: Tensor, vectors: Tensor) -> None:
        self.codes.data[where] = vectors.to(self.codes)
        if self.rules.learning == "average":
            self.counts[where] = 1.0
            self.sums[where] = vectors.to(self.sums)


def nearest(
    vectors: Float[Tensor, "group n width"], codes: Float[Tensor, "group code width"]
) -> Int[Tensor, "group n"]:
    """The number of the code with the least Euclidean distance to each vector.

    >>> nearest(torch.tensor([[[0.9], [-2.0]]]), torch.tensor([[[0.0], [1.0]]])).tolist()
    [[1, 0]]
    """
    half = (codes**2).sum(2, keepdim=True) / 2  # of each code's square, taken off its product
    turned = torch.cat([codes, -half], 2).transpose(1, 2)
    longer = torch.nn.functional.pad(vectors, (0, 1), value=1.0)
    step = max(1, _MOST_AT_ONCE // (codes.shape[0] * codes.shape[1]))
    return torch.cat([torch.bmm(part, turned).argmax(2) for part in longer.split(step, 1)], 1)


def k_means(
    vectors: Float[Tensor, "n width"], n_codes: int, n_rounds: int, generator: torch.Generator
) -> Float[Tensor, "code width"]:
    """Means of clusters, begun at vectors that are drawn; a mean nobody is next to is drawn anew.

    Of fewer vectors than codes some are taken twice.
    """
    (most,) = _drawn([min(len(vectors), _MOST_FOR_MEANS * n_codes)], len(vectors), generator)
    some = vectors.detach()[most.to(vectors.device)]
    (first,) = _drawn([n_codes], len(some), generator)
    means = some[first.to(some.device)].clone()
    for _ in range(n_rounds):
        numbers = nearest(some[None], means[None])[0]
        counts = torch.bincount(numbers, minlength=n_codes)
        sums = torch.zeros_like(means).index_add_(0, numbers, some)
        means = sums / counts.clamp(min=1)[:, None]
        empty = counts == 0
        if bool(empty.any()):
            (anew,) = _drawn([int(empty.sum())], len(some), generator)
            means[empty] = some[anew.to(some.device)]
    return means


def _drawn(counts: list[int], among: int, generator: torch.Generator) -> list[Tensor]:
    """So many numbers below `among` for each count, none twice as long as there are enough."""
    found = []
    for count in counts:
        rounds = [
            torch.randperm(among, generator=generator, device=generator.device)
            for _ in range(math.ceil(count / among))
        ]
        found.append(torch.cat(rounds)[:count] if rounds else torch.zeros(0, dtype=torch.long))
    return found
