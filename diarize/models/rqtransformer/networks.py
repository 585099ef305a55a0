"""The two transformers: over the frames of a window, and over the codes of a frame."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diarize.layers.attention import CausalBlock, Memory, Turns
from diarize.models.rqtransformer.config import RQTransformerSettings


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
    """Log odds of each code of a frame, by what is expected of the frame and the codes before."""

    def __init__(self, settings: RQTransformerSettings, n_slots: int, n_codes: int) -> None:
        super().__init__()
        width = settings.depth_width
        self.n_codes = n_codes
        self.into = nn.Linear(settings.width, width)
        self.slots = nn.Parameter(torch.randn(n_slots, width) / math.sqrt(width))
        self.codes = nn.Parameter(torch.randn(n_slots, n_codes, width) / math.sqrt(width))
        self.blocks = nn.ModuleList(
            CausalBlock(width, settings.n_depth_heads) for _ in range(settings.n_depth_blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.heads = nn.Parameter(torch.randn(n_slots, n_codes, width) / math.sqrt(width))
        self.biases = nn.Parameter(torch.zeros(n_slots, n_codes))

    def forward(
        self,
        expected: Float[Tensor, "row width"],
        codes: Int[Tensor, "row turn"],
        slots: Int[Tensor, "row turn"],
    ) -> Float[Tensor, "row turn depth_width"]:
        """What `odds` makes log odds of, for each turn; of `codes` a turn sees those before it."""
        values = self.into(expected)[:, None] + self.slots[slots]
        before = self._embedded(codes[:, :-1], slots[:, :-1])
        values = values + torch.nn.functional.pad(before, (0, 0, 1, 0))
        for block in self.blocks:
            values = block(values)
        return self.norm(values)

    def step(
        self,
        expected: Float[Tensor, "row width"],
        before: tuple[Tensor, Tensor] | None,
        slots: Int[Tensor, " row"],
        memories: list[Memory],
    ) -> Float[Tensor, "row code"]:
        """Log odds of the code of one turn; `before` are code and slot of the turn before."""
        values = self.into(expected) + self.slots[slots]
        if before is not None:
            values = values + self._embedded(*before)
        values = values[:, None]
        for block, memory in zip(self.blocks, memories, strict=True):
            values = block(values, None, memory)
        return self.odds(self.norm(values), slots[:, None])[:, 0]

    def odds(
        self, values: Float[Tensor, "row turn width"], slots: Int[Tensor, "row turn"]
    ) -> Float[Tensor, "row turn code"]:
        """Log odds (not normalised) of every code; each slot has weights of its own."""
        found = torch.empty(*slots.shape, self.n_codes, device=values.device, dtype=torch.float32)
        for slot in range(len(self.heads)):
            here = slots == slot
            found[here] = (values[here] @ self.heads[slot].T + self.biases[slot]).float()
        return found

    def memories(self) -> list[Memory]:
        """One for each block, with nothing in it."""
        return [Memory() for _ in self.blocks]

    def _embedded(self, codes: Tensor, slots: Tensor) -> Tensor:
        return self.codes.flatten(0, 1)[slots * self.n_codes + codes]
