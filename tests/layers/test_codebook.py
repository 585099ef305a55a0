"""Codebooks: the nearest code, means of clusters, and codes that stay in use."""

import pytest
import torch

from diarize.errors import BadCall
from diarize.layers.codebook import Codebook, CodebookRules, k_means, nearest


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def clusters(n_each=40):
    """Three tight clusters on a line."""
    middles = torch.tensor([[-5.0, 0.0], [0.0, 1.0], [6.0, -1.0]])
    return (
        middles,
        middles.repeat(n_each, 1) + 0.05 * torch.randn(3 * n_each, 2, generator=chance(7)),
    )


def test_the_nearest_code_is_that_of_least_distance():
    vectors = torch.randn(2, 700, 5, generator=chance())
    codes = torch.randn(2, 9, 5, generator=chance(1))
    wanted = torch.stack(
        [torch.cdist(one, book).argmin(1) for one, book in zip(vectors, codes, strict=True)]
    )
    assert torch.equal(nearest(vectors, codes), wanted)


def test_k_means_find_the_middles_of_clusters():
    middles, vectors = clusters()
    means = k_means(vectors, 3, 10, chance(1))
    order = means[:, 0].argsort()
    torch.testing.assert_close(means[order], middles, atol=0.05, rtol=0)


def test_of_fewer_vectors_than_codes_some_are_taken_twice():
    vectors = torch.tensor([[1.0], [2.0]])
    assert set(k_means(vectors, 5, 2, chance()).flatten().tolist()) == {1.0, 2.0}


@pytest.mark.parametrize("learning", ["gradient", "average"])
def test_a_codebook_begins_at_means_of_its_first_batch_and_only_of_that(learning):
    middles, vectors = clusters()
    book = Codebook(1, 2, CodebookRules(3, learning, refresh_every=0))
    book.start(vectors[None], chance(1))
    order = book.codes[0, :, 0].argsort()
    torch.testing.assert_close(book.codes[0].detach()[order], middles, atol=0.05, rtol=0)
    book.learn(vectors[None], book.nearest(vectors[None]), chance())
    before = book.codes.detach().clone()
    book.start(vectors[None] + 100, chance(2))
    assert torch.equal(book.codes, before)


def test_a_running_mean_moves_by_its_decay():
    book = Codebook(1, 1, CodebookRules(2, "average", decay=0.75, refresh_every=0))
    book._put(torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.0], [10.0]]))
    vectors = torch.tensor([[[1.0], [3.0]]])
    book.learn(vectors, book.nearest(vectors), chance())
    # 0.75 of a count of 1 at 0, 0.25 of two vectors that sum to 4
    assert book.codes[0, 0].item() == pytest.approx(0.25 * 4 / (0.75 + 0.25 * 2))
    assert book.codes[0, 1].item() == pytest.approx(10.0)


def test_usage_counts_batches_and_fades():
    book = Codebook(1, 1, CodebookRules(2, usage_decay=0.5, refresh_every=0))
    book._put(torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.0], [10.0]]))
    for vectors in (torch.tensor([[[0.0], [0.1], [0.2]]]), torch.tensor([[[9.0]]])):
        book.learn(vectors, book.nearest(vectors), chance())
    assert book.usage.tolist() == [[0.5, 1.0]]


def test_a_dead_code_becomes_a_vector_of_the_batch():
    book = Codebook(1, 1, CodebookRules(2, refresh_every=2, least_usage=0.9))
    book._put(torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.0], [1000.0]]))
    vectors = torch.tensor([[[1.0], [1.0], [1.0]]])
    book.learn(vectors, book.nearest(vectors), chance())
    assert book.codes[0, 1].item() == pytest.approx(1000.0)  # not yet looked at
    book.learn(vectors, book.nearest(vectors), chance())
    assert book.codes[0, 1].item() == 1.0


def test_codes_that_are_never_refreshed_stay_dead():
    book = Codebook(1, 1, CodebookRules(2, refresh_every=0))
    book._put(torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.0], [1000.0]]))
    for _ in range(20):
        vectors = torch.tensor([[[1.0]]])
        book.learn(vectors, book.nearest(vectors), chance())
    assert book.codes[0, 1].item() == pytest.approx(1000.0)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"n_codes": 1}, "n_codes = 1"),
        ({"decay": 1.0}, "decay = 1.0"),
        ({"least_usage": -1.0}, "least_usage = -1.0"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(rules, told):
    with pytest.raises(BadCall, match=told):
        CodebookRules(**rules)
