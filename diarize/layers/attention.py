"""Attention that sees only what came before: over whole sequences, or a step at a time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.errors import BadCall

LONGEST = 10_000.0  # steps of the slowest turn


class Memory:
    """The keys and values of what one block has seen, for a sequence that grows."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def grown(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values with these at the end, which are kept."""
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat([self.keys, keys], 2), torch.cat([self.values, values], 2)
        self.keys, self.values = keys, values
        return keys, values


class Turns:
    """Turns numbers by the time they belong to, so that products tell how far apart times are.

    Source: Su and others, "RoFormer", arXiv 2104.09864, equation 34. Queries and keys may be of
    different times: what a step is to say may lie elsewhere than what it was told last.
    """

    def __init__(
        self,
        queries: Float[Tensor, "batch step"],
        keys: Float[Tensor, "batch step"],
        n_each: int,
    ) -> None:
        half = torch.arange(n_each // 2, device=queries.device)
        speeds = LONGEST ** (-half / (n_each // 2))
        self._queries, self._keys = ((one[:, None, :, None] * speeds) for one in (queries, keys))

    def queries(self, values: Float[Tensor, "batch head step n"]) -> Tensor:
        """Queries turned."""
        return _turned(values, self._queries)

    def keys(self, values: Float[Tensor, "batch head step n"]) -> Tensor:
        """Keys turned."""
        return _turned(values, self._keys)


def _turned(values: Tensor, angles: Tensor) -> Tensor:
    one, other = values.float().chunk(2, 3)
    cosine, sine = angles.cos(), angles.sin()
    turned = torch.cat([one * cosine - other * sine, one * sine + other * cosine], 3)
    return turned.to(values)


def attended(
    queries: Float[Tensor, "batch head step n"],
    keys: Float[Tensor, "batch head seen n"],
    contents: Float[Tensor, "batch head seen n"],
    n_before: int,
) -> Float[Tensor, "batch head step n"]:
    """What each step takes of itself and those before it, of which `n_before` have no query.

    Source: Vaswani and others, arXiv 1706.03762, equation 1. On a CPU it is written out: torch's
    own takes eight times as long for short sequences in bfloat16, and twice as long for 256 steps.
    """
    n_steps, n_seen = queries.shape[2], keys.shape[2]
    if n_steps == 1:
        return nn.functional.scaled_dot_product_attention(queries, keys, contents)
    may_see = torch.ones(n_steps, n_seen, device=queries.device).tril(n_before).bool()
    if queries.device.type != "cpu":
        return nn.functional.scaled_dot_product_attention(queries, keys, contents, may_see)
    scores = (queries * queries.shape[3] ** -0.5) @ keys.transpose(2, 3)
    return scores.masked_fill(~may_see, -torch.inf).softmax(3).to(contents) @ contents


class CausalBlock(nn.Module):
    """Attention to this step and those before it, then two layers; each normalised before.

    Source: Vaswani and others, arXiv 1706.03762, section 3, norms as in arXiv 2002.04745.
    Every head divides by the root of its own width.
    """

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        if n_heads < 1 or width % (2 * n_heads):
            raise BadCall(f"{n_heads} heads of {width} numbers; an even number each would be right")
        self.n_heads = n_heads
        self.before_attention, self.before_layers = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width, bias=False)
        self.told = nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self,
        values: Float[Tensor, "batch step width"],
        turns: Turns | None = None,
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch step width"]:
        """The same shape; with a `memory`, these steps come after those that it has seen."""
        asked = self.asked(self.before_attention(values))
        heads = asked.unflatten(2, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, contents = heads.unbind(0)
        if turns is not None:
            queries, keys = turns.queries(queries), turns.keys(keys)
        n_seen = 0
        if memory is not None:
            n_seen = 0 if memory.keys is None else memory.keys.shape[2]
            keys, contents = memory.grown(keys, contents)
        found = attended(queries, keys, contents, n_seen)
        values = values + self.told(found.transpose(1, 2).flatten(2))
        inner = torch.nn.functional.gelu(self.wide(self.before_layers(values)))
        return values + self.narrow(inner)
