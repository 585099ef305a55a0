"""On/off patterns of streams: all of them, those of one size, and the likeliest few.

A pattern is a row of zeros and ones, one a stream, kept as floats because patterns are multiplied
with what streams give. Lists of patterns are in lexicographic order, the first stream first: for
two streams (0,0) (0,1) (1,0) (1,1).
"""

from __future__ import annotations

from itertools import combinations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diarize.errors import BadCall

MOST_STREAMS = 20  # of which all patterns are listed: a million


def all_patterns(n_streams: int) -> Float[Tensor, "pattern stream"]:
    """All 2^`n_streams` patterns.

    Raises:
        BadCall: no streams, or more than `MOST_STREAMS`, whose patterns nobody can list.

    >>> all_patterns(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    if not 1 <= n_streams <= MOST_STREAMS:
        raise BadCall(
            f"all patterns of {n_streams} streams: between 1 and {MOST_STREAMS} can be listed; "
            "a truncated posterior takes more"
        )
    bits = torch.arange(n_streams - 1, -1, -1)
    return (torch.arange(2**n_streams)[:, None] >> bits & 1).float()


def patterns_of_size(n_streams: int, n_active: int) -> Float[Tensor, "pattern stream"]:
    """The patterns with exactly `n_active` streams on.

    >>> patterns_of_size(3, 2).tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    if not 0 <= n_active <= n_streams:
        raise BadCall(f"{n_active} of {n_streams} streams on; 0 to {n_streams} can be")
    chosen = list(combinations(range(n_streams), n_active))[::-1]
    patterns = torch.zeros(len(chosen), n_streams)
    if n_active:
        patterns.scatter_(1, torch.tensor(chosen), 1.0)
    return patterns


def likeliest_patterns(
    logits: Float[Tensor, "batch stream"], n_patterns: int
) -> Float[Tensor, "batch pattern stream"]:
    """The `n_patterns` likeliest patterns of independent streams, the likeliest first.

    A stream is on with probability sigmoid(logit). The likeliest pattern follows the signs; each
    change of a stream costs its |logit|; the cheapest sets of changes are kept while one stream
    after the other is let in. That is exact, and linear in the number of streams. Where there are
    fewer patterns than asked for, all are given.
    """
    n_batch, n_streams = logits.shape
    n_patterns = min(n_patterns, 2**n_streams) if n_streams < 60 else n_patterns
    if n_patterns < 1:
        raise BadCall(f"{n_patterns} patterns asked for; 1 or more make sense")
    costs = logits.abs()
    sums = logits.new_zeros(n_batch, 1)
    changes = logits.new_zeros(n_batch, 1, n_streams)
    for stream in range(n_streams):
        changed = changes.clone()
        changed[:, :, stream] = 1
        sums = torch.cat([sums, sums + costs[:, stream, None]], 1)
        changes = torch.cat([changes, changed], 1)
        if sums.shape[1] > n_patterns:
            sums, kept = sums.topk(n_patterns, 1, largest=False)
            changes = changes.gather(1, kept[:, :, None].expand(-1, -1, n_streams))
    order = sums.argsort(dim=1, stable=True)
    changes = changes.gather(1, order[:, :, None].expand(-1, -1, n_streams))
    return ((logits > 0).to(logits.dtype)[:, None] - changes).abs()


def repeated(patterns: Float[Tensor, "batch pattern stream"]) -> Bool[Tensor, "batch pattern"]:
    """Which patterns of a list have come before in it.

    >>> repeated(torch.tensor([[[1.0], [0.0], [1.0]]])).tolist()
    [[False, False, True]]
    """
    signs = 2 * patterns - 1
    same = torch.matmul(signs, signs.transpose(1, 2)) > patterns.shape[2] - 0.5
    return same.tril(-1).any(2)
