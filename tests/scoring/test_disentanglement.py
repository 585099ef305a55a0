"""TAD, MIG and DCI on latents made by hand."""

import math

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.scoring.disentanglement import (
    aurocs,
    mutual_information,
    mutual_information_gap,
    total_auroc_difference,
)
from diarize.scoring.disentanglement_dci import completeness, dci, disentanglement


def chance(seed=0):
    return np.random.default_rng(seed)


def two_factors(n_images=400):
    """Levels 0 to 3 of two factors that have nothing to do with one another."""
    return np.stack([np.arange(n_images) % 4, np.arange(n_images) // 4 % 4], axis=1)


def test_the_area_counts_pairs_that_are_in_order_and_ties_by_half():
    latents = np.array([[1.0], [2.0], [2.0], [4.0]])
    attributes = np.array([[False], [True], [False], [True]])
    # of the four pairs (on, off) three are in order and one is a tie
    assert aurocs(latents, attributes).tolist() == [[3.5 / 4]]
    assert aurocs(-latents, attributes).tolist() == [[3.5 / 4]]


def test_areas_are_those_of_sklearn():
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score
    latents = chance().normal(size=(60, 3)).round(1)
    attributes = chance(1).random((60, 2)) < 0.3
    for attribute, row in zip(attributes.T, aurocs(latents, attributes), strict=True):
        for latent, area in zip(latents.T, row, strict=True):
            wanted = roc_auc_score(attribute, latent)
            assert area == pytest.approx(max(wanted, 1 - wanted))


def test_a_latent_for_each_attribute_gives_half_a_point_each():
    levels = two_factors()
    attributes = levels >= 2
    found = total_auroc_difference(levels.astype(float), attributes)
    # the best latent is always right, the other one says nothing (but for which images are left)
    assert found.tad == pytest.approx(2 * 0.5, abs=0.06)
    assert found.n_captured == 2
    assert found.n_captured_deviation == 0


def test_latents_that_know_the_same_have_no_difference():
    levels = two_factors().astype(float)
    found = total_auroc_difference(np.tile(levels, (1, 2)), levels >= 2)
    assert found.tad == 0
    assert found.n_captured == 2


def test_with_one_latent_the_second_best_counts_nothing():
    attribute = np.arange(50)[:, None] % 2 == 0
    assert total_auroc_difference(attribute.astype(float), attribute).tad == 1


def test_an_attribute_that_no_latent_tells_is_not_captured():
    levels = two_factors()
    found = total_auroc_difference(levels[:, :1].astype(float), levels >= 2)
    assert found.n_captured == 1


def test_attributes_that_tell_of_one_another_do_not_count():
    levels = two_factors()
    attributes = np.stack([levels[:, 0] >= 2, levels[:, 0] >= 2, levels[:, 1] >= 2], axis=1)
    attributes[0, 1] ^= True
    assert total_auroc_difference(levels.astype(float), attributes).n_captured == 1


def test_an_attribute_that_all_have_never_counts():
    attributes = np.ones((40, 1), bool)
    assert total_auroc_difference(chance().normal(size=(40, 2)), attributes).n_captured == 0


def test_folds_are_those_of_sklearn_s_k_fold():
    model_selection = pytest.importorskip("sklearn.model_selection")
    latents = chance(3).normal(size=(53, 2))
    attributes = latents[:, :1] + 0.3 * chance(4).normal(size=(53, 1)) > 0
    wanted = []
    for kept, _ in model_selection.KFold(5, shuffle=True, random_state=0).split(latents):
        row = np.sort(aurocs(latents[kept], attributes[kept])[0])
        wanted.append(row[1] - row[0])
    found = total_auroc_difference(latents, attributes)
    assert found.tad == pytest.approx(np.mean(wanted))
    assert found.tad_deviation == pytest.approx(np.std(wanted))


def test_information_is_counted_in_nats():
    one = np.array([0, 0, 1, 1])
    assert mutual_information(one, one) == pytest.approx(math.log(2))
    assert mutual_information(one, np.array([0, 1, 0, 1])) == 0
    # joint .5, .25, .25: log 2 - (3/4 entropy of a third) by hand
    other = np.array([0, 0, 0, 1])
    by_hand = 0.5 * math.log(0.5 / (0.5 * 0.75)) + 0.25 * math.log(0.25 / (0.5 * 0.75))
    by_hand += 0.25 * math.log(0.25 / (0.5 * 0.25))
    assert mutual_information(one, other) == pytest.approx(by_hand)


def test_the_gap_is_one_where_each_factor_has_its_own_latent():
    levels = two_factors()
    assert mutual_information_gap(levels.astype(float), levels).mig == pytest.approx(1)


def test_the_gap_is_none_where_two_latents_know_the_same():
    levels = two_factors()
    latents = np.concatenate([levels, levels[:, :1] * 2.0], axis=1)
    found = mutual_information_gap(latents, levels)
    assert found.of_factor == pytest.approx((0, 1))
    assert found.mig == pytest.approx(0.5)


def test_turned_by_an_eighth_the_gap_closes():
    levels = two_factors()
    turned = levels @ np.array([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2)
    assert mutual_information_gap(turned, levels).mig == pytest.approx(0, abs=1e-9)


def test_importances_by_hand_give_dci_by_hand():
    importance = np.array([[1.0, 0.0], [0.5, 0.5]])
    # the first latent is certain, the second not at all; both are used as much
    assert disentanglement(importance) == pytest.approx(0.5)
    # the first factor: shares 2/3 and 1/3, used 1.5; the second is certain, used 0.5
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)) / math.log(2)
    assert completeness(importance) == pytest.approx((1.5 * (1 - entropy) + 0.5) / 2)
    assert disentanglement(np.zeros((2, 2))) == 0


def test_trees_find_which_latent_is_of_which_factor():
    levels = two_factors()
    own = dci(levels.astype(float), levels, (True, False))
    assert min(own.disentanglement, own.completeness, own.informativeness) > 0.97
    turned = levels @ np.array([[1.0, 1.0], [1.0, -1.0]])
    assert dci(turned, levels, (True, True)).disentanglement < 0.5
    noise = chance().normal(size=(400, 2))
    assert dci(noise, levels, (True, True)).informativeness < 0.1


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadCall, match="a row an image in both would be right"):
        total_auroc_difference(np.zeros((20, 2)), np.zeros((19, 1), bool))
    with pytest.raises(BadCall, match="NaN or infinite"):
        mutual_information_gap(np.full((20, 2), np.nan), np.zeros((20, 1), np.int64))
    with pytest.raises(BadCall, match="4 images of 2 latents"):
        total_auroc_difference(np.zeros((4, 2)), np.zeros((4, 1), bool))
