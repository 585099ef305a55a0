"""The trained weights in the package: whole, small, told of, and as good as they are said to be."""

from pathlib import Path

import numpy as np
import pytest
import torch

import diarize
from diarize.corpora.mnist import find_mnist, read_mnist
from diarize.errors import BadFile
from diarize.training.shipped import load_model, read_card
from diarize.weights import KNOWN, OURS, find_weights, named_weights

FOLDER = Path(diarize.__file__).parent / "weights"
SHIPPED = sorted(FOLDER.glob("*.safetensors"))
MNIST = Path(__file__).parent.parent.parent / "shared" / "data" / "mnist"
each = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def digits():
    """The test digits of MNIST, float pixels and labels."""
    try:
        find_mnist(MNIST)
    except BadFile:
        pytest.skip("no MNIST at ../shared/data/mnist")
    found = read_mnist(MNIST, "t10k")
    images = torch.from_numpy(found.images.reshape(len(found.images), -1).astype(np.float32) / 255)
    return images, torch.from_numpy(found.labels)


@each
def test_what_ships_is_small_and_its_card_says_where_it_comes_from(path):
    card = read_card(path)
    assert path.stat().st_size <= 12_000_000
    for fact in ("licence", "data_licence", "command", "commit", "scores", "train", "data"):
        assert card[fact], fact


@each
def test_what_ships_is_known_by_name_and_can_be_used(path):
    assert find_weights(path.stem) == named_weights(path.stem) == path
    weights = load_model(path).state_dict()
    assert all(torch.isfinite(one).all() for one in weights.values() if one.is_floating_point())


def test_all_that_is_known_as_ours_is_there():
    names = {weights.name for weights in KNOWN.values() if weights.package == OURS}
    assert names == {path.stem for path in SHIPPED}


def test_the_classifier_is_right_on_digits_it_never_saw(digits):
    images, labels = digits
    found = load_model(find_weights("digit-classifier")).classify(images[:1000]).argmax(1)
    assert (found == labels[:1000]).float().mean() >= 0.98


def test_the_digits_are_found_in_mixtures_of_two(digits):
    images, labels = digits
    pairs = [(i, i + 1) for i in range(0, 400, 2) if labels[i] != labels[i + 1]][:100]
    first, second = (torch.tensor(side) for side in zip(*pairs, strict=True))
    found = load_model(find_weights("digits")).attribute(images[first] + images[second], 2)
    true = torch.zeros(len(pairs), 10, dtype=torch.bool)
    true[torch.arange(len(pairs)), labels[first]] = True
    true[torch.arange(len(pairs)), labels[second]] = True
    assert (found.pattern == true).all(1).float().mean() >= 0.9
