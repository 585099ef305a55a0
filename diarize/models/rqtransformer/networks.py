"""The two transformers: over the frames of a window, and over the codes of a frame."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.layers.attention import CausalBlock, Memory, Turns
from diarize.models.rqtransformer.config import RQTransformerSettings
from diarize.models.rqtransformer.direct import TERMS, Direct

FIRST_HEADS = 0.01  # so that training begins at what is said directly


class OverTime(nn.Module):
    """What is to be expected of each frame, by the frames told before it.

    A step is told the frame before it in the order, and when that was; it asks for its own time.
    """

    def __init__(self, settings: RQTransformerSettings, n_vector: int) -> None:
        super().__init__()
        width = settings.width
        self.n_each = width // settings.n_heads
        self.norm_in = nn.LayerNorm(n_vector)
        self.into = nn.Linear(n_vector, width)
        self.start = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.blocks = nn.ModuleList(
            CausalBlock(width, settings.n_heads) for _ in range(settings.n_blocks)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        vectors: Float[Tensor, "batch told vector"] | None,
        times: Int[Tensor, "batch step"],
        before: Int[Tensor, "batch step"],
        memories: list[Memory] | None = None,
    ) -> Float[Tensor, "batch step width"]:
        """An expectation for each step.

        The steps tell the frames of `times`; the frames told just before them are of `before` (-1:
        none was) and have `vectors`, of which the first step of all has none: where its `before`
        is -1 they are one fewer than the steps, or None. With `memories`, one a block, these steps
        come after those seen.
        """
        told = [] if vectors is None else [self.into(self.norm_in(vectors))]
        if vectors is None or vectors.shape[1] < times.shape[1]:
            told.insert(0, self.start.expand(len(times), 1, -1).to(told[0] if told else self.start))
        values = torch.cat(told, 1)
        turns = Turns(times.float(), before.float(), self.n_each)
        for number, block in enumerate(self.blocks):
            values = block(values, turns, memories[number] if memories else None)
        return self.norm(values)

    def memories(self) -> list[Memory]:
        """One for each block, with nothing in it."""
        return [Memory() for _ in self.blocks]


class OverDepth(nn.Module):
    """Log odds of each code of a frame, by what is expected of the frame and the codes before.

    To what it makes itself it adds what is said of a code directly, term by term, each with a
    weight that it finds anew for each code.
    """

    def __init__(
        self, settings: RQTransformerSettings, n_slots: int, n_codes: int, n_seen: int
    ) -> None:
        super().__init__()
        width = settings.depth_width
        self.n_codes = n_codes
        self.into = nn.Linear(settings.width, width)
        self.seen = nn.Linear(n_seen, width, bias=False)
        self.slots = nn.Parameter(torch.randn(n_slots, width) / math.sqrt(width))
        self.codes = nn.Parameter(torch.randn(n_slots, n_codes, width) / math.sqrt(width))
        self.blocks = nn.ModuleList(
            CausalBlock(width, settings.n_depth_heads) for _ in range(settings.n_depth_blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.heads = nn.Parameter(FIRST_HEADS * torch.randn(n_slots, n_codes, width))
        self.biases = nn.Parameter(torch.zeros(n_slots, n_codes))
        self.gates = nn.Parameter(torch.zeros(n_slots, TERMS, width))

    def forward(
        self,
        expected: Float[Tensor, "row width"],
        codes: Int[Tensor, "row slot"],
        slots: Int[Tensor, "row turn"],
        direct: Direct,
        weights: Float[Tensor, "slot term"],
    ) -> Float[Tensor, "row slot code"]:
        """Log odds (not normalised); of `codes` each sees those before it in the order `slots`."""
        before = slots[:, :-1]
        told = self._embedded(codes.gather(1, before), before)
        index = slots[..., None]
        near = self.seen(direct.seen)
        near = near.gather(1, index.expand_as(near))
        values = self.into(expected)[:, None] + self.slots[slots] + near
        values = values + torch.nn.functional.pad(told, (0, 0, 1, 0))
        for block in self.blocks:
            values = block(values)
        values = self.norm(values)
        values = torch.zeros_like(values).scatter(1, index.expand_as(values), values)
        by_slot = values.transpose(0, 1)
        made = torch.bmm(by_slot, self.heads.transpose(1, 2)).transpose(0, 1).float()
        gates = torch.bmm(by_slot, self.gates.transpose(1, 2)).transpose(0, 1).float()
        return made + self.biases + weighed(direct.terms, weights + gates)

    def step(
        self,
        expected: Float[Tensor, "row width"],
        before: tuple[Tensor, Tensor] | None,
        slots: Int[Tensor, " row"],
        direct: Direct,
        weights: Float[Tensor, "slot term"],
        memories: list[Memory],
    ) -> Float[Tensor, "row code"]:
        """Log odds of the code of one turn; `before` are code and slot of the turn before.

        `direct` is of all slots of the frames.
        """
        rows = torch.arange(len(slots), device=slots.device)
        values = self.into(expected) + self.slots[slots] + self.seen(direct.seen[rows, slots])
        if before is not None:
            values = values + self._embedded(*before)
        values = values[:, None]
        for block, memory in zip(self.blocks, memories, strict=True):
            values = block(values, None, memory)
        values = self.norm(values)
        made = (values @ self.heads[slots].transpose(1, 2))[:, 0] + self.biases[slots]
        gates = (values @ self.gates[slots].transpose(1, 2))[:, 0]
        return made + weighed(direct.terms[rows, slots], weights[slots] + gates)

    def memories(self) -> list[Memory]:
        """One for each block, with nothing in it."""
        return [Memory() for _ in self.blocks]

    def _embedded(self, codes: Tensor, slots: Tensor) -> Tensor:
        return self.codes.flatten(0, 1)[slots * self.n_codes + codes]


def weighed(
    terms: Float[Tensor, "... term code"], weights: Float[Tensor, "... term"]
) -> Float[Tensor, "... code"]:
    """The sum of terms, each by its weight."""
    return (terms * weights[..., None]).sum(-2)
