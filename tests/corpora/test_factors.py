"""The toy set of five exact factors, MNIST one digit an image, and how both are handed out."""

import json

import numpy as np
import pytest
import torch

from diarize.corpora.factors import Factor, FactorImages, read_set
from diarize.corpora.factors_sprites import NAMES, SpriteSettings, draw_bars, sprites
from diarize.corpora.supplies import make_supply, prepare
from diarize.errors import BadCall, BadFile

SMALL = {"side": 16, "n_levels": 4, "n_train": 50, "n_dev": 6, "n_test": 8, "batch": 20}


def bar(**levels):
    """A bar of the middle levels, except those named; levels go 0 to 8."""
    found = [levels.get(name, 4) for name in NAMES]
    return draw_bars(np.array([found]), 9, 32).reshape(32, 32).astype(float)


def centre(image):
    rows, columns = np.indices(image.shape)
    return (columns * image).sum() / image.sum(), (rows * image).sum() / image.sum()


def test_each_factor_changes_what_it_is_named_for_and_nothing_else():
    usual = bar()
    assert centre(usual) == pytest.approx((15.5, 15.5), abs=0.01)
    assert centre(bar(x=8)) == pytest.approx((15.5 + 0.2 * 32, 15.5), abs=0.1)
    assert centre(bar(y=0)) == pytest.approx((15.5, 15.5 - 0.2 * 32), abs=0.1)
    large, small = bar(size=8), bar(size=0)
    assert large.sum() / small.sum() == pytest.approx((0.26 / 0.14) ** 2, rel=0.08)
    assert large.max() == small.max() == usual.max()
    assert bar(brightness=8).max() == 255
    np.testing.assert_allclose(bar(brightness=0), usual * 0.35 / 0.675, atol=0.8)
    np.testing.assert_allclose(bar(tilt=0), bar(tilt=8)[:, ::-1], atol=1)
    assert bar(tilt=8).sum() == pytest.approx(usual.sum(), rel=0.03)


@pytest.mark.parametrize("level", [0, 8])
def test_the_largest_bar_lies_wholly_in_the_image_wherever_it_is(level):
    image = bar(x=level, y=level, size=8, tilt=level)
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert edge.max() == 0 < image.max()


def test_levels_are_drawn_evenly_and_each_factor_by_itself():
    settings = SpriteSettings(side=8, n_levels=3)
    levels = sprites(6000, "train", settings).levels
    for column in levels.T:
        np.testing.assert_allclose(np.bincount(column) / 6000, 1 / 3, atol=0.03)
    assert np.abs(np.corrcoef(levels.T) - np.eye(5)).max() < 0.05


def test_the_same_seed_draws_the_same_and_parts_differ():
    settings = SpriteSettings(**{**SMALL, "batch": 5})
    first, again, other = (sprites(9, part, settings) for part in ("train", "train", "test"))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.levels, other.levels)


@pytest.fixture
def prepared(tmp_path):
    prepare("sprites", tmp_path, SMALL, "here")
    return tmp_path


def test_what_is_prepared_is_read_back_with_its_factors(prepared):
    test = read_set(prepared, "test")
    assert test.images.shape == (8, 256)
    assert [factor.name for factor in test.factors] == list(NAMES)
    drawn = draw_bars(test.levels, 4, 16)
    assert np.array_equal(test.images, drawn)
    told = json.loads((prepared / "summary.json").read_text())
    assert told["images"] == {"train": 50, "dev": 6, "test": 8}


def test_prepared_twice_the_files_are_the_same(prepared):
    before = {path.name: path.read_bytes() for path in prepared.iterdir()}
    prepare("sprites", prepared, SMALL, "here")
    assert before == {path.name: path.read_bytes() for path in prepared.iterdir()}


def test_an_epoch_has_every_image_once_in_whole_batches_without_labels(prepared):
    supply = make_supply("sprites", prepared, {**SMALL, "batch": 25}, "here")
    batches = list(supply.epoch("autoencoder", 0))
    assert len(batches) == supply.n_batches("autoencoder") == 2
    assert all(batch.labels is None for batch in batches)
    seen = torch.cat([batch.inputs for batch in batches])
    wanted = read_set(prepared, "train").floats()
    assert sorted(seen.sum(1).tolist()) == sorted(torch.from_numpy(wanted).sum(1).tolist())
    later = next(supply.epoch("autoencoder", 0, 1))
    assert torch.equal(later.inputs, batches[1].inputs)
    other = next(supply.epoch("autoencoder", 1))
    assert not torch.equal(other.inputs, batches[0].inputs)


def test_the_dev_part_can_be_handed_out_too(prepared):
    supply = make_supply("sprites", prepared, {**SMALL, "part": "dev", "batch": 3}, "here")
    assert supply.n_batches("diffusion") == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"side": 17}, "prepared with side = 16, and 17 is wanted"),
        ({"sides": 17}, "no setting 'sides'; did you mean 'side'"),
        ({"n_levels": 1}, "n_levels = 1; expected 2 or more"),
    ],
)
def test_other_settings_than_it_was_prepared_by_are_refused(prepared, changed, message):
    with pytest.raises(BadFile, match=message):
        make_supply("sprites", prepared, {**SMALL, **changed}, "here")


def test_a_batch_of_more_images_than_there_are_is_refused(prepared):
    supply = make_supply("sprites", prepared, {**SMALL, "batch": 60}, "here")
    with pytest.raises(BadFile, match="50 images of part 'train'; batch = 60"):
        supply.n_batches("autoencoder")
    with pytest.raises(BadCall, match="no phase 'experts' of plain images"):
        supply.n_batches("experts")


def test_nothing_prepared_is_said_with_what_to_run(tmp_path):
    with pytest.raises(BadFile, match="no such file; run diarize prepare first"):
        make_supply("sprites", tmp_path, SMALL, "here")


def test_levels_that_a_factor_does_not_have_are_refused():
    with pytest.raises(BadCall, match="shade goes 0 to 4; 0 to 3 would be right"):
        FactorImages(np.zeros((2, 1), np.uint8), np.array([[0], [4]]), (Factor("shade", 4),))


def idx(array, kind=8):
    head = bytes([0, 0, kind, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def test_mnist_s_test_part_keeps_its_order_and_no_training_image_is_in_two_sets(tmp_path):
    for part, count in (("train", 20), ("t10k", 6)):
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 0, 0] = np.arange(count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    prepare("mnist_images", tmp_path, {"dev_share": 0.25}, "here")
    sets = {part: read_set(tmp_path, part) for part in ("train", "dev", "test")}
    assert sets["test"].images[:, 0].tolist() == list(range(6))
    assert sets["test"].levels[:, 0].tolist() == list(range(6))
    assert len(sets["dev"]) == 5
    both = np.concatenate([sets["train"].images[:, 0], sets["dev"].images[:, 0]])
    assert sorted(both.tolist()) == list(range(20))
    attributes, names = sets["test"].attributes()
    assert names[3] == "digit 3"
    assert attributes[:, 3].tolist() == [False, False, False, True, False, False]
