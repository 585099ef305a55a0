"""Lists of patterns: all, of one size, the likeliest, the neighbours, the repeated."""

import math
from itertools import combinations, product

import pytest
import torch

from diarize.errors import BadCall
from diarize.layers.patterns import (
    MOST_STREAMS,
    all_patterns,
    likeliest_patterns,
    patterns_of_size,
    repeated,
)


def as_tuples(patterns):
    return [tuple(int(on) for on in row) for row in patterns.tolist()]


@pytest.mark.parametrize("n_streams", [1, 2, 3, 7, 10])
def test_all_patterns_are_listed_in_lexicographic_order(n_streams):
    assert as_tuples(all_patterns(n_streams)) == list(product((0, 1), repeat=n_streams))


@pytest.mark.parametrize("n_streams", [0, -1, MOST_STREAMS + 1])
def test_patterns_nobody_can_list_are_refused(n_streams):
    with pytest.raises(BadCall, match=f"all patterns of {n_streams} streams: between 1 and 20"):
        all_patterns(n_streams)


@pytest.mark.parametrize("n_streams", [1, 4, 6])
def test_the_patterns_of_each_size_together_are_all_patterns(n_streams):
    of_sizes = [as_tuples(patterns_of_size(n_streams, size)) for size in range(n_streams + 1)]
    everything = list(product((0, 1), repeat=n_streams))
    for size, listed in enumerate(of_sizes):
        assert listed == [one for one in everything if sum(one) == size]
        assert len(listed) == math.comb(n_streams, size)


@pytest.mark.parametrize("n_active", [-1, 5])
def test_more_streams_on_than_there_are_is_refused(n_active):
    with pytest.raises(BadCall, match=f"{n_active} of 4 streams on; 0 to 4 can be"):
        patterns_of_size(4, n_active)


def log_probabilities(logits, patterns):
    """log of the product over streams of sigmoid(logit) or its complement."""
    signs = 2 * patterns - 1
    return torch.nn.functional.logsigmoid(signs * logits[:, None]).sum(2)


@pytest.mark.parametrize("n_streams", [1, 2, 5, 8])
@pytest.mark.parametrize("n_patterns", [1, 2, 7, 24, 1000])
@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_the_likeliest_patterns_are_those_that_brute_force_finds(n_streams, n_patterns, spread):
    generator = torch.Generator().manual_seed(n_streams)
    logits = spread * torch.randn(9, n_streams, generator=generator, dtype=torch.float64)
    found = likeliest_patterns(logits, n_patterns)
    n_there = min(n_patterns, 2**n_streams)
    assert found.shape == (9, n_there, n_streams)
    every_one = all_patterns(n_streams).double().expand(9, -1, -1)
    expected = log_probabilities(logits, every_one).sort(dim=1, descending=True).values
    # the likeliest first, each as likely as the one in its place of the whole list
    torch.testing.assert_close(log_probabilities(logits, found), expected[:, :n_there])
    for row in found:
        assert len(set(as_tuples(row))) == n_there
        assert set(row.unique().tolist()) <= {0.0, 1.0}


def test_streams_that_are_as_likely_on_as_off_give_patterns_that_differ():
    found = likeliest_patterns(torch.zeros(1, 5), 32)
    assert sorted(as_tuples(found[0])) == list(product((0, 1), repeat=5))


def test_the_likeliest_of_forty_streams_follow_the_signs_and_then_the_cheapest_change():
    logits = torch.linspace(-20, 19, 40)[None] + 0.25  # cheapest: 0.25 at stream 20
    found = likeliest_patterns(logits, 3)[0]
    best = (logits[0] > 0).float()
    assert torch.equal(found[0], best)
    assert (found[1] != best).nonzero().tolist() == [[20]]
    assert (found[2] != best).nonzero().tolist() == [[19]]  # -0.75


def test_a_hundred_streams_are_no_trouble():
    logits = torch.randn(4, 100, generator=torch.Generator().manual_seed(0))
    found = likeliest_patterns(logits, 50)
    assert found.shape == (4, 50, 100)
    scores = log_probabilities(logits.double(), found.double())
    assert bool((scores.diff(dim=1) <= 1e-5).all())
    assert all(len(set(as_tuples(row))) == 50 for row in found)


@pytest.mark.parametrize("n_patterns", [0, -3])
@pytest.mark.parametrize("n_streams", [3, 70])
def test_no_patterns_at_all_are_refused(n_patterns, n_streams):
    with pytest.raises(BadCall, match=f"{n_patterns} patterns asked for; 1 or more"):
        likeliest_patterns(torch.zeros(1, n_streams), n_patterns)


def test_a_pattern_is_repeated_if_it_came_before_in_its_own_list():
    lists = torch.tensor([[[0, 1], [1, 1], [0, 1], [0, 1]], [[1, 1], [0, 1], [0, 0], [1, 0]]])
    assert repeated(lists.float()).tolist() == [[False, False, True, True], [False] * 4]


def test_repeats_of_random_lists_are_those_a_loop_finds():
    generator = torch.Generator().manual_seed(2)
    lists = (torch.rand(5, 12, 3, generator=generator) < 0.5).float()
    for row, found in zip(lists, repeated(lists), strict=True):
        told = as_tuples(row)
        assert found.tolist() == [one in told[:place] for place, one in enumerate(told)]


def test_patterns_of_a_size_are_the_combinations_of_streams():
    rows = as_tuples(patterns_of_size(5, 3))
    on = {tuple(stream for stream, is_on in enumerate(row) if is_on) for row in rows}
    assert on == set(combinations(range(5), 3))
