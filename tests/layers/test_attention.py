"""Causal attention: what a step may see, and that a growing sequence is seen as a whole one is."""

import pytest
import torch

from diarize.errors import BadCall
from diarize.layers.attention import CausalBlock, Memory, Turns, attended


@pytest.fixture
def block():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CausalBlock(8, 2).eval()


def values(n_steps=5):
    return torch.randn(2, n_steps, 8, generator=torch.Generator().manual_seed(1))


def test_every_step_sees_all_before_it_and_none_after_it(block):
    told = values().requires_grad_()
    for step in range(5):
        (gradient,) = torch.autograd.grad(block(told)[:, step].square().sum(), told)
        reached = gradient.abs().sum((0, 2)) > 0
        assert reached.tolist() == [at <= step for at in range(5)]


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1), (3, 2), (1, 4)])
def test_steps_given_one_after_another_come_out_as_they_do_together(block, pieces):
    memory, whole, found, at = Memory(), values(), [], 0
    times = torch.tensor([[0.0, 3, 4, 1, 2], [0, 1, 2, 3, 4]])
    for n in pieces:
        turns = Turns(times[:, at : at + n], times[:, at : at + n] - 1, 4)
        found.append(block(whole[:, at : at + n], turns, memory))
        at += n
    together = block(whole, Turns(times, times - 1, 4))
    torch.testing.assert_close(torch.cat(found, 1), together)


def test_a_product_of_turned_numbers_hangs_on_how_far_apart_their_times_are():
    query, key = values(3)[:, None, :, :4], values(3)[:, None, :, 4:]

    def product(queries, keys):
        turns = Turns(torch.tensor([queries] * 2), torch.tensor([keys] * 2), 4)
        return turns.queries(query) @ turns.keys(key).transpose(2, 3)

    near = product([1.0, 2, 3], [0.0, 1, 2])
    torch.testing.assert_close(near, product([11.0, 12, 13], [10.0, 11, 12]))
    assert not torch.allclose(near, product([1.0, 2, 3], [0.0, 0, 0]))


def test_heads_that_do_not_divide_the_width_are_named():
    with pytest.raises(BadCall, match="3 heads of 8 numbers"):
        CausalBlock(8, 3)


@pytest.mark.parametrize("n_before", [0, 3])
def test_what_is_taken_of_steps_is_what_torch_s_own_takes(n_before):
    chance = torch.Generator().manual_seed(2)
    queries = torch.randn(2, 3, 5, 4, generator=chance)
    keys, contents = torch.randn(2, 2, 3, 5 + n_before, 4, generator=chance)
    may_see = torch.ones(5, 5 + n_before).tril(n_before).bool()
    wanted = torch.nn.functional.scaled_dot_product_attention(queries, keys, contents, may_see)
    torch.testing.assert_close(attended(queries, keys, contents, n_before), wanted)
