import json

import numpy as np
import pytest
import torch

from diarize.corpora.polymnist import PolymnistImages, as_views, prepare_polymnist
from diarize.corpora.polymnist_grounds import grounds
from diarize.corpora.polymnist_settings import PolymnistSettings
from diarize.corpora.polymnist_supply import PolymnistSupply
from diarize.corpora.supplies import make_supply, prepare
from diarize.corpora.view_supply import present_views
from diarize.errors import BadCall, BadFile

SMALL = {"n_images": 300, "repetitions": 2, "n_dev": 60, "n_test": 100, "side": 32}
SMALL |= {"digit_side": 16, "batch": 50}


def settings(**others):
    return PolymnistSettings(**{**SMALL, **others})


@pytest.fixture
def prepared(small_mnist):
    prepare_polymnist(small_mnist, settings())
    return small_mnist


def all_images(folder, part, made=None):
    made = made or settings()
    there = PolymnistImages(folder, part, made)
    return there, there.images(np.arange(len(there)))


@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_all_views_of_a_datum_show_its_digit(prepared, part):
    from diarize.corpora.mnist import read_mnist

    there, _ = all_images(prepared, part)
    digits = read_mnist(prepared, "t10k" if part == "test" else "train")
    shown = digits.labels[there.tuples.image]
    assert (shown == there.tuples.digit[:, None]).all()
    assert len(there) == {"train": 600, "dev": 60, "test": 100}[part]


def test_no_image_is_of_two_parts_and_each_is_in_every_view_as_often(prepared):
    train, dev = (PolymnistImages(prepared, part, settings()) for part in ("train", "dev"))
    for view in range(5):
        assert (np.bincount(train.tuples.image[:, view]) == 2).all()
        assert sorted(dev.tuples.image[:, view]) == list(range(340, 400))
    assert train.tuples.image.max() < 300
    assert (train.tuples.image[:, 0] != train.tuples.image[:, 1]).mean() > 0.9


def test_a_view_differs_from_its_ground_in_the_digit_s_quadrant_alone(prepared):
    there, images = all_images(prepared, "test")
    for view in range(5):
        for datum in range(20):
            row, column = there.tuples.crop[datum, view]
            crop = there.grounds[view][row : row + 32, column : column + 32].transpose(2, 0, 1)
            changed = (images[datum, view] != crop).any(0)
            quadrant = there.tuples.quadrant[datum, view]
            top, left = 16 * (quadrant // 2), 16 * (quadrant % 2)
            inside = np.zeros((32, 32), bool)
            inside[top : top + 16, left : left + 16] = True
            assert changed.any()
            assert not changed[~inside].any()
            new = images[datum, view][:, changed]
            if view == 0:
                assert (new == [[255], [0], [0]]).all()
            elif view == 4:
                assert (new == [[0], [0], [255]]).all()
            else:
                assert (new == 255 - crop[:, changed]).all()


def test_quadrants_are_even_and_each_view_s_own(prepared):
    quadrant = PolymnistImages(prepared, "train", settings()).tuples.quadrant
    shares = np.bincount(quadrant.ravel(), minlength=4) / quadrant.size
    assert shares == pytest.approx([0.25] * 4, abs=0.03)
    assert (quadrant[:, 0] == quadrant[:, 1]).mean() == pytest.approx(0.25, abs=0.08)


def test_without_quadrants_the_digit_is_as_large_as_the_image_and_inverts_all(small_mnist):
    plain = settings(quadrants=False, side=28, digit_side=28)
    prepare_polymnist(small_mnist, plain)
    there, images = all_images(small_mnist, "test", plain)
    row, column = there.tuples.crop[3, 0]
    crop = there.grounds[0][row : row + 28, column : column + 28].transpose(2, 0, 1)
    changed = (images[3, 0] != crop).any(0)
    assert changed[there.tuples.digit[3]].all()  # the bright row that a digit is here
    assert (images[3, 0][:, changed] == 255 - crop[:, changed]).all()
    assert there.truths(np.array([3])).shape == (1, 1)
    assert list(plain.labels) == ["digit"]


def test_the_five_grounds_are_far_apart_and_the_same_for_a_seed():
    made = grounds(7)
    assert np.array_equal(made, grounds(7))
    assert not np.array_equal(made, grounds(8))
    means = made.reshape(5, -1, 3).mean(1)
    spread = made.reshape(5, -1, 3).std(1).max(1)
    assert spread.min() > 15
    for one in range(5):
        for other in range(one):
            assert np.linalg.norm(means[one] - means[other]) > 40


def test_the_same_settings_make_the_same_bytes_and_others_do_not(prepared):
    names = sorted(path.name for path in prepared.glob("*.safetensors"))
    assert names == [
        "grounds.safetensors",
        *(f"tuples_{p}.safetensors" for p in ("dev", "test", "train")),
    ]
    before = [(prepared / name).read_bytes() for name in names]
    prepare_polymnist(prepared, settings())
    assert before == [(prepared / name).read_bytes() for name in names]
    prepare_polymnist(prepared, settings(seed=5))
    assert all(
        one != (prepared / name).read_bytes() for one, name in zip(before, names, strict=True)
    )
    assert json.loads((prepared / "summary.json").read_text())["data"]["train"] == 600


def test_batches_hang_on_the_epoch_and_can_be_taken_up_in_the_middle(prepared):
    supply = make_supply("polymnist", prepared, SMALL, "the test")
    assert supply.n_batches("views") == 12
    whole = list(supply.epoch("views", 1))
    later = list(supply.epoch("views", 1, 10))
    assert torch.equal(whole[10].inputs, later[0].inputs)
    assert whole[0].inputs.shape == (50, 5 * 3 * 32 * 32)
    assert whole[0].truths.shape == (50, 6)
    assert whole[0].present is None
    assert float(whole[0].inputs.max()) == 1.0
    assert not torch.equal(whole[0].inputs, next(iter(supply.epoch("views", 0))).inputs)
    assert as_views(whole[0].inputs, settings()).shape == (50, 5, 3, 32, 32)


def test_fewer_views_are_the_first_of_the_same_prepared_data(prepared):
    first, whole = (PolymnistSupply(prepared, settings(n_views=count)) for count in (2, 5))
    two, five = (next(iter(one.epoch("views", 0))) for one in (first, whole))
    assert torch.equal(two.inputs, five.inputs[:, : 2 * 3 * 32 * 32])
    assert torch.equal(two.truths, five.truths[:, :3])
    assert as_views(two.inputs, settings(n_views=2)).shape == (50, 2, 3, 32, 32)
    with pytest.raises(BadCall, match="n_views = 6; expected 2 to 5"):
        settings(n_views=6)


def test_another_part_is_handed_out_of_the_same_folder(prepared):
    supply = PolymnistSupply(prepared, settings(part="dev"))
    assert supply.n_batches("views") == 1
    digits = PolymnistImages(prepared, "dev", settings()).tuples.digit
    found = next(iter(supply.epoch("views", 0))).truths[:, 0].bincount(minlength=10)
    assert bool((found <= torch.from_numpy(np.bincount(digits, minlength=10))).all())


def test_missing_views_are_as_many_as_asked_for_and_never_all():
    present = present_views(4000, 0.8, np.random.default_rng(0), n_views=5)
    assert bool(present.any(1).all())
    assert present.float().mean().item() == pytest.approx(0.2 + 0.8**5 / 5, abs=0.02)
    assert present_views(3, 0.0, np.random.default_rng(0), n_views=5) is None


def test_a_supply_with_missing_views_says_which_are_there(prepared):
    supply = PolymnistSupply(prepared, settings(missing_share=0.3))
    first, again = (next(iter(supply.epoch("views", 0))) for _ in range(2))
    assert torch.equal(first.present, again.present)
    assert 0.6 < first.present.float().mean().item() < 0.8


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"side": 40}, "side = 40 for digits of 16 pixels; expected 32"),
        ({"n_images": 59_000, "n_dev": 2000}, "expected at most 60000 together"),
        ({"missing_share": 1.0}, "missing_share = 1.0; expected 0 or more, under 1"),
        ({"batch": 1}, "batch = 1; expected 2 or more"),
        ({"n_test": 10_001}, "expected at most 10000"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(BadCall, match=told):
        settings(**wrong)


def test_too_little_mnist_and_others_settings_are_refused(small_mnist):
    with pytest.raises(BadFile, match="has 400 images; 401 are wanted"):
        prepare("polymnist", small_mnist, SMALL | {"n_images": 341}, "the test")
    prepare("polymnist", small_mnist, SMALL, "the test")
    with pytest.raises(BadFile, match="prepared with side = 32, and 64 is wanted"):
        PolymnistSupply(small_mnist, settings(side=64, digit_side=32))
    with pytest.raises(BadCall, match="no phase 'experts' of views"):
        PolymnistSupply(small_mnist, settings()).n_batches("experts")
