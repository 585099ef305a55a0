"""The judge of separated images: what it says of images, and how it learns."""

import pytest
import torch

from diarize.config import build
from diarize.errors import BadCall, BadFile
from diarize.models.baselines.digit_classifier import DigitClassifier, DigitClassifierSettings
from diarize.models.contract import Batch, Trainable

SMALL = DigitClassifierSettings(side=8, n_classes=4, channels=(4, 4), kernel=3, n_hidden=8)


def made(settings=SMALL):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DigitClassifier(settings)
    model.begin("experts")
    return model


def corners(n_images, seed=0):
    """Noisy images with one bright corner each; which one is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (n_images,), generator=generator)
    images = 0.3 * torch.rand(n_images, 8, 8, generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        row, column = 4 * (label // 2), 4 * (label % 2)
        image[row : row + 4, column : column + 4] += 0.7
    return Batch(images.reshape(n_images, 64), labels)


CHANCE = torch.Generator()


def test_it_keeps_the_contract_and_is_small():
    model = made(DigitClassifierSettings())
    assert isinstance(model, Trainable)
    assert model.phases == ("experts",)
    assert 2 * sum(value.numel() for value in model.state_dict().values()) < 1_000_000


def test_probabilities_sum_to_one_and_an_image_s_are_its_own():
    model, images = made(), corners(5).inputs
    probabilities = model.classify(images)
    assert probabilities.shape == (5, 4)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(5))
    alone = torch.cat([model.classify(one[None]) for one in images])
    assert torch.allclose(probabilities, alone, atol=1e-6)
    assert model.training


def test_more_images_than_are_taken_at_once_are_all_classified():
    model, images = made(), corners(2300).inputs
    assert torch.allclose(model.classify(images)[-3:], model.classify(images[-3:]), atol=1e-6)


def test_the_loss_is_the_cross_entropy():
    model, batch = made().eval(), corners(6)
    losses = model.loss(batch, CHANCE)
    probabilities = model.classify(batch.inputs)
    expected = -probabilities[torch.arange(6), batch.labels].log().mean()
    assert float(losses.total.detach()) == pytest.approx(float(expected), rel=1e-5)
    right = probabilities.argmax(dim=1) == batch.labels
    assert float(losses.parts["accuracy"]) == pytest.approx(float(right.float().mean()))


def test_it_learns_and_says_how_well_at_the_end_of_an_epoch():
    model = made()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(60):
        total = model.loss(corners(32, seed=10 + step), CHANCE).total
        optimizer.zero_grad()
        total.backward()
        assert all(torch.isfinite(one.grad).all() for one in model.parameters())
        optimizer.step()
    first = model.end_epoch()["accuracy"]
    held_out = corners(100, seed=1)
    found = model.classify(held_out.inputs).argmax(dim=1)
    assert float((found == held_out.labels).float().mean()) > 0.98
    assert 0.25 < first < 1
    assert model.end_epoch() == {}


def test_what_is_saved_in_the_middle_of_an_epoch_goes_on_to_the_same_numbers():
    model, again = made(), made()
    model.loss(corners(8), CHANCE)
    again.load_state_dict(model.state_dict())
    ends = []
    for one in (model, again):
        total = float(one.loss(corners(8, seed=2), CHANCE).total.detach())
        ends.append((total, one.end_epoch()))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (Batch(torch.zeros(2, 63), torch.zeros(2, dtype=torch.long)), "expected batch x 64"),
        (Batch(torch.full((2, 64), torch.inf), torch.zeros(2, dtype=torch.long)), "infinite"),
        (Batch(torch.zeros(2, 64)), "found 0 labels for 2 images"),
        (Batch(torch.zeros(2, 64), torch.tensor([0, 4])), "expected 0 to 3"),
        (Batch(torch.zeros(2, 64), torch.tensor([-1, 0])), "expected 0 to 3"),
        (Batch(torch.zeros(1, 64), torch.tensor([0])), "wants two or more"),
    ],
)
def test_batches_that_cannot_be_meant_are_refused(batch, message):
    with pytest.raises(BadCall, match=message):
        made().loss(batch, CHANCE)


def test_images_of_another_size_are_not_classified():
    with pytest.raises(BadCall, match="expected batch x 64"):
        made().classify(torch.zeros(2, 784))


def test_there_is_one_phase():
    with pytest.raises(BadCall, match="no phase 'mixtures'"):
        made().begin("mixtures")


@pytest.mark.parametrize(
    "settings",
    [{"n_classes": 0}, {"channels": []}, {"channels": [0]}, {"kernel": 4}, {"side": 3}],
)
def test_settings_that_cannot_be_meant_are_refused(settings):
    (name,) = settings
    with pytest.raises(BadFile, match=f"conf: {name} = .*expected"):
        build(DigitClassifierSettings, settings, "conf")
