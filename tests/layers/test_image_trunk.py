"""What is common to encoders of images: shapes, planes, and images that do not fit."""

import pytest
import torch

from diarize.errors import BadCall
from diarize.layers.image_trunk import ImageTrunk


def made(n_values=36, widths=(3, 4, 5, 7), **more):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ImageTrunk(n_values, widths, **more).eval()


@pytest.mark.parametrize("n_values", [1, 4, 25, 36, 784])
@pytest.mark.parametrize("widths", [(3, 7), (3, 4, 7), (3, 4, 5, 6, 7)])
def test_images_of_any_side_become_a_row_of_the_last_width(n_values, widths):
    found = made(n_values, widths)(torch.rand(3, n_values))
    assert found.shape == (3, 7)
    assert bool((found >= 0).all())  # after a ReLU


def test_an_image_is_the_same_alone_as_in_company():
    trunk, x = made(), torch.rand(5, 36, generator=torch.Generator().manual_seed(1))
    together = trunk(x)
    for row in range(5):
        torch.testing.assert_close(trunk(x[row : row + 1])[0], together[row])


def test_values_are_rows_of_pixels():
    """The first convolution sees what torch's own does in the image as a square."""
    trunk = made(widths=(3, 4))
    x = torch.rand(2, 36, generator=torch.Generator().manual_seed(1))
    seen = []
    trunk.blocks[0].register_forward_hook(lambda _, given, made: seen.append((given[0], made)))
    trunk(x)
    assert torch.equal(seen[0][0], x.view(2, 1, 6, 6))
    expected = torch.nn.functional.conv2d(
        x.view(2, 1, 6, 6), trunk.blocks[0].weight, stride=2, padding=2
    )
    torch.testing.assert_close(seen[0][1], expected)


def test_planes_follow_one_another():
    trunk = made(n_planes=2)
    assert trunk(torch.rand(3, 72)).shape == (3, 7)


def test_images_that_are_not_square_are_refused():
    with pytest.raises(BadCall, match="an image of 35 values is not square"):
        made(35)
