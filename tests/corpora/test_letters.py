"""Printed letters as a second alphabet."""

import numpy as np
import pytest

from diarize.corpora import letters
from diarize.corpora.letters import FACES, LETTERS, rendered_letters
from diarize.errors import BadFile


def test_there_are_thirty_letters_and_none_is_a_digit_in_some_hand():
    assert len(set(LETTERS)) == len(LETTERS) == 30
    assert not set("OISZ") & set(LETTERS)


def test_no_face_serves_two_ends():
    faces = [face for part in FACES.values() for face in part]
    assert len(set(faces)) == len(faces)


def test_a_letter_is_written_like_a_digit_of_mnist():
    images = rendered_letters("E", 50, "train", 0).astype(float) / 255
    assert images.shape == (50, 28, 28)
    assert images.max() == pytest.approx(1, abs=0.02)
    assert images[:, [0, -1]].mean() < 0.01  # black above and below
    at = np.arange(28) - 13.5
    ink = images.sum((1, 2))
    assert abs((images.sum(1) @ at / ink).mean()) < 0.7  # centred
    assert 40 < ink.mean() < 200  # MNIST's digits have about 100


def test_images_hang_on_the_letter_the_part_and_the_seed_alone():
    first = rendered_letters("A", 3, "train", 0)
    assert np.array_equal(first, rendered_letters("A", 3, "train", 0))
    for other in (("A", 3, "train", 1), ("A", 3, "dev", 0), ("B", 3, "train", 0)):
        assert not np.array_equal(first, rendered_letters(*other))
    assert len({image.tobytes() for image in first}) == 3


def test_none_is_an_answer():
    assert rendered_letters("A", 0, "dev", 0).shape == (0, 28, 28)


def test_the_nearest_mean_of_training_images_mostly_names_a_test_image():
    means = np.stack(
        [rendered_letters(one, 40, "train", 0).astype(float).mean(0) for one in LETTERS[::3]]
    ).reshape(-1, 784)
    tested = [rendered_letters(one, 10, "test", 0).reshape(-1, 784) for one in LETTERS[::3]]
    apart = ((np.stack(tested)[:, :, None] - means) ** 2).sum(-1)
    assert (apart.argmin(-1) == np.arange(len(means))[:, None]).mean() > 0.7


def test_a_face_that_is_not_there_or_lacks_the_letter_is_told(monkeypatch):
    monkeypatch.setitem(letters.FACES, "dev", ("NoSuchFace",))
    with pytest.raises(BadFile, match=r"NoSuchFace\.ttf: not in this matplotlib"):
        rendered_letters("A", 1, "dev", 0)
    monkeypatch.setitem(letters.FACES, "dev", ("cmr10",))
    with pytest.raises(BadFile, match=r"cmr10\.ttf: has no"):
        rendered_letters("Δ", 1, "dev", 0)
