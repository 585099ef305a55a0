"""Speakers go on talking for a while: what neighbours say of a moment."""

import itertools

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.inference.persistence import persistent


def by_hand(own, share, leave):
    """The sum over all paths of one speaker."""
    enter = leave * share / (1 - share)
    steps = np.array([[1 - enter, enter], [leave, 1 - leave]])
    total, on = 0.0, np.zeros(len(own))
    for path in itertools.product((0, 1), repeat=len(own)):
        weight = (1 - share, share)[path[0]]
        for before, state in itertools.pairwise(path):
            weight *= steps[before, state]
        for state, one in zip(path, own, strict=True):
            weight *= one / share if state else (1 - one) / (1 - share)
        total, on = total + weight, on + weight * np.array(path)
    return on / total


def test_it_is_the_sum_over_all_paths():
    own = np.array([0.3, 0.9, 0.4, 0.05, 0.6])
    found = persistent(own[None], np.array([0.3]), mean_s=0.5, hop_s=0.1)
    assert found[0] == pytest.approx(by_hand(own, 0.3, 0.2), abs=1e-6)


def test_two_speakers_are_as_each_alone():
    own = np.random.default_rng(0).random((2, 6))
    share = np.array([0.4, 0.4])
    both = persistent(own, share, 1.0, 0.1)
    alone = [persistent(one[None], share[:1], 1.0, 0.1)[0] for one in own]
    assert both == pytest.approx(np.stack(alone), abs=1e-6)


def test_a_moment_that_says_nothing_follows_its_neighbours():
    found = persistent(np.array([[0.95, 0.95, 0.5, 0.95]]), np.array([0.5]), 2.0, 0.1)
    assert found[0, 2] > 0.95


def test_certainty_is_never_beyond_doubt():
    own = np.array([[1.0, 1.0, 0.0, 1.0, 1.0]])
    found = persistent(own, np.array([0.5]), 5.0, 0.1, evidence=0.2)
    assert np.isfinite(found).all()
    assert found[0, 2] > 0.5


def test_less_evidence_is_less_sure():
    own = np.full((1, 4), 0.9)
    sure, unsure = (
        persistent(own, np.array([0.5]), 1.0, 0.1, weight)[0, 0] for weight in (1.0, 0.2)
    )
    assert 0.5 < unsure < sure


def test_nobody_goes_on_for_less_than_two_moments():
    with pytest.raises(BadCall, match=r"mean_s = 0\.1"):
        persistent(np.full((1, 4), 0.9), np.array([0.5]), 0.1, 0.1)
