"""Sums of codes: each codebook says what those before it left over."""

import pytest
import torch

from diarize.errors import BadCall
from diarize.layers.codebook import CodebookRules
from diarize.layers.residual_codebooks import ResidualCodebooks


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def made(n_stages=3, learning="average"):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ResidualCodebooks(n_stages, 2, 4, CodebookRules(8, learning))


def vectors(n=200):
    return torch.randn(2, n, 4, generator=chance(3))


def test_the_sum_is_that_of_the_codes_that_are_told():
    books = made()
    found = books(vectors())
    torch.testing.assert_close(books.look_up(found.codes), found.vectors)
    assert found.codes.shape == (3, 2, 200)


def test_after_a_first_batch_each_stage_leaves_less_over():
    books = made()
    books(vectors(), chance())
    errors = [float(books(vectors(), n_stages=n).total_error) for n in (1, 2, 3)]
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2] > 0


def test_all_stages_begin_at_means_of_what_is_left_to_them():
    books = made()
    books(vectors(), chance())
    left = vectors() - books(vectors(), n_stages=2).vectors
    last = books.stages[2]
    assert float(last.codes.abs().max()) <= float(left.abs().max()) + 0.5


def test_without_a_generator_nothing_is_learned():
    books = made()
    before = {name: one.clone() for name, one in books.state_dict().items()}
    books(vectors())
    assert all(torch.equal(one, before[name]) for name, one in books.state_dict().items())


def test_the_gradient_goes_straight_through():
    given = vectors().requires_grad_()
    made()(given).vectors.sum().backward()
    assert torch.equal(given.grad, torch.ones_like(given))


def test_codes_trained_by_gradient_have_one_and_running_means_have_none():
    by_gradient = made(learning="gradient")
    by_gradient(vectors()).codebook_error.backward()
    assert all(one.grad is not None for one in by_gradient.parameters())
    by_average = made()
    assert list(by_average.parameters()) == []
    assert float(by_average(vectors()).codebook_error) == 0


def test_the_commitment_moves_what_is_quantised():
    books, given = made(1), vectors().requires_grad_()
    found = books(given)
    found.commitment_error.backward()
    step = given.detach() - 1e-2 * given.grad * given.numel()
    assert float(books(step).commitment_error) < float(found.commitment_error.detach())


def test_more_stages_than_there_are_are_refused():
    with pytest.raises(BadCall, match="4 stages of codes; there are 1 to 3"):
        made()(vectors(), n_stages=4)
