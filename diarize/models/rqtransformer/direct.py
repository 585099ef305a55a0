"""What the codes next to one say of it: those beside it in time, and those of its own stages."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from diarize.codecs.coarse import CoarseCodec

UNIT = 1 / 32  # what a count adds, so that the greatest still go into half precision
TERMS = 5  # codes by themselves; by counts after, and before, another; by distance to either
FIRST_PULL = 16.0  # counts


@dataclass(frozen=True)
class Beside:
    """The frames beside some others, as far as they were told before them.

    Attributes:
        before, after: their codes; anything where there are none.
        has_before, has_after: whether there are.
    """

    before: Int[Tensor, "row slot"]
    after: Int[Tensor, "row slot"]
    has_before: Bool[Tensor, " row"]
    has_after: Bool[Tensor, " row"]


@dataclass(frozen=True)
class Direct:
    """What is said of each code of some frames without a network.

    Attributes:
        terms: log odds, in nats, to be weighed and added; 0 where a neighbour is not known.
        seen: for a network: how far the neighbours are from the stages told already, and those.
    """

    terms: Float[Tensor, "row slot term code"]
    seen: Float[Tensor, "row slot number"]


class NextTo(nn.Module):
    """Log odds of codes by their neighbours, counted in training and measured in the codec.

    Counted is how often a code came after another of the same slot, in the next frame, as a table
    of all pairs; read along one side it tells a frame by the one before it, along the other by the
    one after it. p(b | a) = (n(a, b) + pull p(b)) / (n(a) + pull), the pull learned. Measured is
    the squared distance of each code to what the neighbour's vector leaves to this stage.
    """

    pairs: Tensor

    def __init__(self, n_slots: int, n_codes: int, n_numbers: int) -> None:
        super().__init__()
        self.n_codes, self.n_seen = n_codes, 3 * n_numbers + 2
        self.register_buffer("pairs", torch.zeros(n_slots, n_codes, n_codes))
        self.pulls = nn.Parameter(torch.full((2, n_slots, 1), math.log(FIRST_PULL)))
        first = torch.tensor([1.0, 1.0, 0.5, 0.0, 0.0])
        self.weights = nn.Parameter(first.repeat(n_slots, 1))

    @torch.no_grad()
    def count(self, codes: Int[Tensor, "batch slot frame"]) -> None:
        """Count the pairs of frames that follow one another."""
        before, after = codes[:, :, :-1], codes[:, :, 1:]
        slots = torch.arange(codes.shape[1], device=codes.device)[:, None]
        places = (slots * self.n_codes + before) * self.n_codes + after
        found = torch.bincount(places.flatten(), minlength=self.pairs.numel())
        self.pairs.add_(found.view_as(self.pairs), alpha=UNIT)

    def forward(
        self,
        codec: CoarseCodec,
        codes: Int[Tensor, "row slot"],
        beside: Beside,
        without_own: bool = False,
    ) -> Direct:
        """What is said of each code of frames; of `codes` a slot uses its stem's stages before it.

        `without_own` leaves out of the counts the pairs that the frames make with their neighbours:
        for frames that were counted. It takes all of `codes`.
        """
        often = self.pairs / UNIT
        single = often.sum(1) + 0.5
        single = single / single.sum(1, keepdim=True)
        own = codes if without_own else None
        counted = [
            self._counted(one, single, pull, code, own)
            for one, pull, code in (
                (often, self.pulls[0], beside.before),
                (often.transpose(1, 2), self.pulls[1], beside.after),
            )
        ]
        books = codec.code_vectors()
        made = _looked_up(books, codes).unflatten(1, (codec.n_channels, -1))
        told = (made.cumsum(2) - made).flatten(1, 2)  # by the stages before
        scale = (books**2).sum(2).mean(1)[:, None, None]
        has = [one.to(books)[:, None, None] for one in (beside.has_before, beside.has_after)]
        left = []
        for there, code in zip(has, (beside.before, beside.after), strict=True):
            whole = _looked_up(books, code).unflatten(1, made.shape[1:3]).sum(2, keepdim=True)
            left.append(there * (whole.expand_as(made).flatten(1, 2) - told))
        near = [-_distances(one, books) / scale.squeeze(2) for one in left]
        alone = single.log().expand(len(codes), -1, -1)
        terms = [one * there for one, there in zip([*counted, *near], [*has, *has], strict=True)]
        flags = torch.cat(has, 2).expand(-1, codes.shape[1], -1)
        size = scale.unflatten(0, made.shape[1:3])[:, :1].expand(-1, made.shape[2], -1, -1)
        size = (size / books.shape[2]).sqrt().flatten(0, 2)
        seen = torch.cat([torch.cat([*left, told], 2) / size, flags], 2)
        return Direct(torch.stack([alone, *terms], 2), seen)

    def _counted(
        self, often: Tensor, single: Tensor, pull: Tensor, code: Tensor, own: Tensor | None
    ) -> Float[Tensor, "row slot code"]:
        """How much likelier each code is beside `code` than by itself, in nats."""
        slots = torch.arange(code.shape[1], device=code.device)
        found = often[slots, code]
        total = often.sum(2)[slots, code][..., None]
        if own is not None:
            there = found.gather(2, own[..., None]).clamp(max=1)
            found = found.scatter_add(2, own[..., None], -there)
            total = total - there
        pull = pull.exp()
        return (found / single + pull).log() - (total + pull).log()


def _looked_up(books: Tensor, codes: Tensor) -> Float[Tensor, "row slot number"]:
    return books[torch.arange(len(books), device=codes.device), codes]


def _distances(
    vectors: Float[Tensor, "row slot number"], books: Float[Tensor, "slot code number"]
) -> Float[Tensor, "row slot code"]:
    """Squares of those between vectors and codes."""
    products = torch.bmm(vectors.transpose(0, 1), books.transpose(1, 2)).transpose(0, 1)
    squares = (vectors**2).sum(2, keepdim=True) + (books**2).sum(2)
    return squares - 2 * products
