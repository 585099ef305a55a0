"""Batches of digits and of mixtures: the same whenever they are asked for."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from diarize.corpora.batch import Supply
from diarize.corpora.digit_sets import prepare_digits
from diarize.corpora.digit_settings import DigitSettings
from diarize.corpora.digits import DigitSupply
from diarize.corpora.supplies import make_supply
from diarize.corpora.tensors import save_tensors
from diarize.errors import BadCall, BadFile

SETTINGS = DigitSettings(
    n_test_mixtures=5,
    n_train_mixtures=64,
    mixture_batch=16,
    expert_batch=40,
    augment_share=0.0,
)


@pytest.fixture
def folder(small_mnist):
    prepare_digits(small_mnist, SETTINGS)
    return small_mnist


@pytest.fixture
def supply(folder):
    """A function: the supply with some settings changed."""
    return lambda **changed: DigitSupply(folder, dataclasses.replace(SETTINGS, **changed))


def stacked(batches):
    return torch.cat([batch.inputs for batch in batches])


def rows(inputs):
    """The images as things that can be counted."""
    return [row.numpy().tobytes() for row in inputs]


def test_it_is_a_supply(supply):
    assert isinstance(supply(), Supply)


def test_expert_batches_have_each_class_alike_one_after_another(supply):
    one = supply()
    assert one.n_batches("experts") == 9
    batches = list(one.epoch("experts", 0))
    assert len(batches) == 9
    for batch in batches:
        assert batch.labels.tolist() == np.repeat(np.arange(10), 4).tolist()
        by_stream = batch.inputs.view(10, 4, 28, 28)
        assert all((by_stream[digit, :, digit] == 1).all() for digit in range(10))


def test_an_epoch_of_experts_takes_each_image_once(supply):
    inputs = stacked(supply().epoch("experts", 0))
    assert len(set(rows(inputs))) == 360


def test_a_small_class_is_gone_through_again(folder):
    few = np.zeros((33, 28, 28), np.uint8)
    few[:, 0, 0] = np.arange(33)
    labels = np.concatenate([np.repeat(np.arange(9), 3), np.full(6, 9)])
    save_tensors(folder / "experts.safetensors", {"images": few, "labels": labels})
    one = DigitSupply(folder, dataclasses.replace(SETTINGS, expert_batch=10))
    assert one.n_batches("experts") == 3
    inputs = stacked(one.epoch("experts", 0)).view(3, 10, 784)
    assert all(len(set(rows(inputs[:, digit]))) == 3 for digit in range(10))
    large = DigitSupply(folder, dataclasses.replace(SETTINGS, expert_batch=100))
    assert large.n_batches("experts") == 1
    (batch,) = large.epoch("experts", 0)
    counts = {rows(batch.inputs[:10]).count(row) for row in rows(batch.inputs[:10])}
    assert counts == {3, 4}  # three images, ten places


@pytest.mark.parametrize("phase", ["experts", "mixtures", "refine"])
@pytest.mark.parametrize("fixed", [True, False])
def test_a_training_goes_on_with_the_batches_it_had_not_seen(phase, fixed, supply):
    options = {"fixed_mixtures": fixed, "augment_share": 0.5, "expert_noise_share": 0.5}
    whole = list(supply(**options).epoch(phase, 3))
    assert len(whole) == supply(**options).n_batches(phase)
    rest = list(supply(**options).epoch(phase, 3, start=2))
    assert len(rest) == len(whole) - 2
    assert torch.equal(stacked(rest), stacked(whole[2:]))
    other = stacked(supply(**options).epoch(phase, 4))
    assert not torch.equal(stacked(whole), other)


def test_fixed_mixtures_are_the_same_in_all_epochs_in_another_order(supply):
    one = supply()
    first, later, refined = (
        rows(stacked(one.epoch(*which)))
        for which in (("mixtures", 0), ("mixtures", 7), ("refine", 0))
    )
    assert first != later != refined
    assert set(first) == set(later) == set(refined)
    assert len(set(first)) == 64


def test_fresh_mixtures_are_new_in_each_epoch_and_phase(supply):
    one = supply(fixed_mixtures=False)
    drawn = [
        set(rows(stacked(one.epoch(*which))))
        for which in (("mixtures", 0), ("mixtures", 1), ("refine", 0))
    ]
    for some, others in itertools.combinations(drawn, 2):
        assert not some & others


@pytest.mark.parametrize("fixed", [True, False])
def test_mixtures_are_of_the_settings_and_have_no_labels(fixed, supply):
    one = supply(
        fixed_mixtures=fixed,
        noise_scale=0.0,
        presence_by_count=(0.0, 0.0, 1.0),
        n_train_mixtures=640,
    )
    batches = list(one.epoch("mixtures", 0))
    assert all(batch.labels is None and len(batch) == 16 for batch in batches)
    images = stacked(batches).view(-1, 28, 28)
    on = images[:, :10].amax(2)  # a digit's own row is bright
    assert (on.sum(1) == 2).all()
    assert on.mean(0).numpy() == pytest.approx(np.full(10, 0.2), abs=0.07)
    assert images.max() == 2


def test_mixtures_are_made_of_images_kept_for_them(small_mnist):
    split = dataclasses.replace(SETTINGS, labelled_share=0.5, noise_scale=0.0)
    prepare_digits(small_mnist, split)
    single = dataclasses.replace(split, presence_by_count=(0.0, 1.0), n_train_mixtures=640)
    one = DigitSupply(small_mnist, single)
    mixed, labelled = (set(rows(stacked(one.epoch(phase, 0)))) for phase in ("mixtures", "experts"))
    assert len(labelled) > 100
    assert len(mixed) > 100
    assert not mixed & labelled


def test_noise_is_of_the_scale_that_was_set(supply):
    one = supply(noise_scale=0.2, presence=0.0)
    noise = stacked(one.epoch("mixtures", 0))
    assert noise.abs().mean().item() == pytest.approx(0.2, rel=0.05)


def test_a_share_of_expert_images_is_distorted_and_a_share_noisy(supply):
    clean = next(iter(supply().epoch("experts", 0))).inputs
    distorted = next(iter(supply(augment_share=0.5).epoch("experts", 0))).inputs
    share = (clean != distorted).any(1).float().mean().item()
    assert 0.2 < share < 0.8
    assert 0 <= distorted.min() <= distorted.max() <= 1
    noisy = next(iter(supply(expert_noise_share=1.0).epoch("experts", 0))).inputs
    assert (noisy - clean).abs().mean().item() == pytest.approx(0.1, rel=0.05)


def test_what_does_not_fill_a_batch_is_left_out(supply):
    one = supply(n_train_mixtures=70)
    assert one.n_batches("mixtures") == 4
    assert [len(batch) for batch in one.epoch("mixtures", 0)] == [16] * 4


def test_an_unknown_phase_is_told(supply):
    with pytest.raises(BadCall, match="no phase 'warm' of digits"):
        supply().n_batches("warm")
    with pytest.raises(BadCall, match="there are experts, mixtures, refine"):
        supply().epoch("warm", 0)


def test_labels_out_of_range_name_the_file(folder):
    arrays = {"images": np.zeros((1, 28, 28), np.uint8), "labels": np.array([10])}
    save_tensors(folder / "experts.safetensors", arrays)
    with pytest.raises(BadFile, match=r"experts\.safetensors: labels 10 to 10; expected 0 to 9"):
        DigitSupply(folder, SETTINGS).n_batches("experts")


def test_a_supply_is_made_by_name_from_a_table_of_settings(folder):
    table = {"corpus": "digits", "n_test_mixtures": 5, "n_train_mixtures": 250}
    assert make_supply("digits", folder, table, "a.toml [data]").n_batches("mixtures") == 2
    with pytest.raises(BadCall, match="no corpus 'faces' to train on; there are digits"):
        make_supply("faces", folder, {}, "a.toml [data]")
    with pytest.raises(BadFile, match=r"a\.toml \[data\]: no setting 'n_mixtures'"):
        make_supply("digits", folder, {"n_mixtures": 1}, "a.toml [data]")
    with pytest.raises(BadFile, match="prepared with seed = 42, and 1 is wanted"):
        make_supply("digits", folder, table | {"seed": 1}, "a.toml [data]")
