"""Baselines of codes by counting, held to numbers done by hand."""

import math

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.scoring.codes import ADDED, CodeCounts, uniform_nats


def windows(*rows):
    return [np.array(one) for one in rows]


def test_every_code_as_likely_costs_the_log_of_how_many_there_are():
    assert uniform_nats(256, 3).tolist() == pytest.approx([math.log(256)] * 3)


def test_single_codes_cost_what_their_counts_say():
    counts = CodeCounts(windows([[0, 0, 1, 0]]), windows([[0, 1]]), 2)
    likely = np.array([3 + ADDED, 1 + ADDED]) / (4 + 2 * ADDED)
    assert counts.single[0] == pytest.approx(likely)
    cost = counts.single_nats(windows([[0, 0]], [[1, 0]]))
    assert cost[0] == pytest.approx(-(3 * np.log(likely[0]) + np.log(likely[1])) / 4)


def test_codes_after_another_cost_what_pairs_say_pulled_towards_single_codes():
    counts = CodeCounts(windows([[0, 1, 0, 1, 0]]), windows([[0, 1, 0]]), 2)
    single, pull = counts.single[0], counts.pulls["frame"]
    assert pull == 1.0  # the least there is: pairs say all that single codes do not
    after_zero = (2 + pull * single[1]) / (2 + pull)
    wanted = -(np.log(single[0]) + np.log(after_zero)) / 2
    assert counts.after_nats(windows([[0, 1]]), "frame")[0] == pytest.approx(wanted)


def test_pairs_that_tell_nothing_new_are_pulled_all_the_way():
    chance = np.random.default_rng(0)
    learned, develop = ([chance.integers(8, size=(1, 40))] for _ in range(2))
    assert CodeCounts(learned, develop, 8).pulls["frame"] == 1024.0


def test_a_code_told_by_the_one_before_it_in_the_frame_costs_next_to_nothing():
    chance = np.random.default_rng(0)
    first = chance.integers(4, size=(1, 400))
    same = [np.concatenate([first, (first + 1) % 4])]
    counts = CodeCounts(same, same, 4)
    by_turn = counts.after_nats(same, "turn")
    assert by_turn[0] == pytest.approx(counts.single_nats(same)[0])
    assert by_turn[1] < 0.02
    assert counts.after_nats(same, "frame")[1] > 1.2


def test_nothing_to_count_is_named():
    with pytest.raises(BadCall, match="no windows of codes"):
        CodeCounts([], [], 4)
