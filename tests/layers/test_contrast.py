"""Contrasts, by hand."""

import math

import pytest
import torch

from diarize.layers.contrast import contrast


def test_a_contrast_of_two_pairs_by_hand():
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # each row: its partner at cosine 1, the two others at 0
    wanted = -math.log(math.e / (math.e + 2))
    assert contrast(first, first.clone()).item() == pytest.approx(wanted, rel=1e-5)
    swapped = contrast(first, first.flip(0)).item()
    assert swapped == pytest.approx(-math.log(1 / (math.e + 2)), rel=1e-5)


def test_a_lower_temperature_makes_a_good_contrast_cheaper():
    first = torch.eye(3)
    assert contrast(first, first, 0.1) < contrast(first, first, 1.0)


def test_rows_of_one_owner_are_no_rivals_of_one_another():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    # of the first owner, each row: its partner at 1, and the third owner's two rows at 0
    of_first = -math.log(math.e / (math.e + 2))
    # of the other: its partner at 1, four rows at 0
    of_other = -math.log(math.e / (math.e + 4))
    found = contrast(first, first.clone(), owner=torch.tensor([7, 7, 2])).item()
    assert found == pytest.approx((4 * of_first + 2 * of_other) / 6, rel=1e-5)


def test_owners_who_all_differ_change_nothing():
    rows = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    apart = contrast(*rows, 0.3, torch.arange(5))
    assert torch.equal(contrast(*rows, 0.3), apart)
