"""Distorted images: still the same glyphs, by chance that is passed in."""

import pytest
import torch

from diarize.corpora.distortion import Distortion, distort
from diarize.errors import BadCall

NOTHING = Distortion(0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def images():
    """Ten images of a bright square of 8 x 8 pixels in the middle."""
    made = torch.zeros(10, 28, 28)
    made[:, 10:18, 10:18] = 1
    return made


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_distortion_leaves_images_as_they_are(images):
    assert torch.allclose(distort(images, NOTHING, chance()), images, atol=1e-5)


def test_each_image_is_distorted_its_own_way_and_stays_in_its_range(images):
    made = distort(images, Distortion(), chance())
    assert made.shape == images.shape
    assert 0 <= made.min() <= made.max() <= 1 + 1e-6
    assert all((made[0] - other).abs().max() > 0.1 for other in made[1:])


def test_the_same_seed_distorts_the_same_way(images):
    assert torch.equal(
        distort(images, Distortion(), chance(3)), distort(images, Distortion(), chance(3))
    )
    assert not torch.equal(
        distort(images, Distortion(), chance(3)), distort(images, Distortion(), chance(4))
    )


def test_a_shift_moves_by_at_most_so_many_pixels(images):
    most = Distortion(0.0, 0.0, 0.0, shift_px=2.0, elastic_px=0.0)
    made = distort(images, most, chance())
    at = torch.arange(28.0) - 13.5
    middles = (made.sum(1) @ at) / made.sum((1, 2))
    assert middles.abs().max() <= 2
    assert middles.abs().max() > 0.5
    assert torch.allclose(made.sum((1, 2)), torch.full((10,), 64.0), rtol=1e-4)


def test_a_scale_changes_the_area_by_at_most_its_square(images):
    made = distort(images, Distortion(0.0, 0.2, 0.0, 0.0, 0.0), chance())
    areas = made.sum((1, 2)) / 64
    assert 1 / 1.2**2 - 0.05 <= areas.min() < areas.max() <= 1 / 0.8**2 + 0.05


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation_deg", -1.0),
        ("scale", 1.0),
        ("shear", float("nan")),
        ("shift_px", 40.0),
        ("elastic_px", -0.1),
        ("elastic_knots", 1),
    ],
)
def test_an_amount_that_cannot_be_meant_is_told(name, value):
    with pytest.raises(BadCall, match=f"{name} = "):
        Distortion(**{name: value})
