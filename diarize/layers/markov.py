"""Hidden states that follow one another: forward-backward over a chain, many chains at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def smoothed(
    log_potential: Float[Tensor, "chain time state"],
    log_transition: Float[Tensor, "state state"],
) -> tuple[Float[Tensor, "chain time state"], Float[Tensor, " chain"]]:
    """The log probability of each state at each time given all of the chain, and log Z.

    A path s_1 .. s_T of a chain weighs exp(sum_t log_potential[t, s_t] + sum_t
    log_transition[s_(t-1), s_t]); Z is the sum of all paths' weights. Rows of `log_transition`
    need not be normalised, and -inf forbids. What comes before the first time is part of its
    potential.

    Source: Rabiner, "A tutorial on hidden Markov models", 1989, section III.A and B.

    >>> even = torch.zeros(1, 2, 2)
    >>> stay = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    >>> smoothed(even, stay)[1].exp().item()
    2.0
    """
    n_times = log_potential.shape[1]
    # products of probabilities, scaled at each step: logsumexp would take five times longer
    top = log_potential.amax(2, keepdim=True)
    weight = (log_potential - top).exp()
    peak = log_transition.amax()
    transition = (log_transition - peak).exp()
    forward, backward = torch.empty_like(weight), torch.empty_like(weight)
    scales = torch.empty_like(weight[..., :1])
    for time in range(n_times):
        here = (
            weight[:, time] if time == 0 else weight[:, time] * (forward[:, time - 1] @ transition)
        )
        scales[:, time] = here.sum(1, keepdim=True)
        forward[:, time] = here / scales[:, time]
    backward[:, -1] = 1.0
    for time in range(n_times - 2, -1, -1):
        ahead = (weight[:, time + 1] * backward[:, time + 1]) @ transition.T
        backward[:, time] = ahead / ahead.sum(1, keepdim=True)
    both = forward * backward
    log_total = scales.log().sum((1, 2)) + top.sum((1, 2)) + (n_times - 1) * peak
    return (both / both.sum(2, keepdim=True)).log(), log_total


def switching(
    patterns: Float[Tensor, "pattern stream"], on_to_off: float, off_to_on: float
) -> Float[Tensor, "pattern pattern"]:
    """log p(next pattern | pattern) of streams that switch on and off each by itself.

    The two are the probabilities of a switch in one step. Rows sum to at most one: what would lead
    to a pattern that is not listed is lost.

    >>> one = torch.tensor([[0.0], [1.0]])
    >>> switching(one, on_to_off=0.5, off_to_on=0.25).exp().tolist()
    [[0.75, 0.25], [0.5, 0.5]]
    """
    steps = torch.tensor([[1 - off_to_on, off_to_on], [on_to_off, 1 - on_to_off]]).log()
    before, after = patterns[:, None].long(), patterns[None].long()
    return steps[before, after].sum(2)
