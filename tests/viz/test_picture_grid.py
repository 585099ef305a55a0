import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.viz.picture_grid import picture_grid


def test_each_image_has_its_place_and_each_row_and_column_its_name():
    images = np.zeros((2, 3, 3, 4, 4))
    images[1, 2, 0] = 1.0
    figure = picture_grid(images, ["one", "$x_1$"], ["a", "b", "c"])
    assert len(figure.axes) == 6
    shown = figure.axes[5].images[0].get_array()
    assert shown.shape == (4, 4, 3)
    assert (shown[0, 0] == [1, 0, 0]).all()
    assert [axes.get_title() for axes in figure.axes[:3]] == ["a", "b", "c"]
    assert figure.axes[0].get_ylabel() == "one"


def test_one_plane_is_drawn_in_grey_and_values_outside_are_cut():
    figure = picture_grid(np.full((1, 1, 1, 4, 4), 1.5))
    shown = figure.axes[0].images[0]
    assert shown.get_array().max() == 1.0
    assert shown.get_cmap().name == "gray"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(BadCall, match="of one plane or three"):
        picture_grid(np.zeros((1, 1, 2, 4, 4)))
    with pytest.raises(BadCall, match="2 names for 1 rows"):
        picture_grid(np.zeros((1, 1, 1, 4, 4)), ["a", "b"])
