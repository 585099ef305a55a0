"""Who may see which image: experts, mixtures, choosing settings, testing."""

import json

import numpy as np
import pytest

from diarize.config import build
from diarize.corpora.digit_mixtures import read_mixtures
from diarize.corpora.digit_sets import prepare_digits, read_images, split_digits
from diarize.corpora.digit_settings import DigitSettings
from diarize.corpora.idx import idx_bytes
from diarize.corpora.prepared import check_prepared
from diarize.errors import BadCall, BadFile


def settings(**given):
    return DigitSettings(**{"n_test_mixtures": 30, "expert_batch": 840, **given})


def numbers(images):
    """Which images these are, as the fixture wrote it in them."""
    bits = np.asarray(images).reshape(-1, 28, 28)[:, 20].astype(int) // 255
    return set((bits @ (1 << np.arange(28))).tolist())


def test_no_image_serves_two_ends(small_mnist):
    parts = split_digits(small_mnist, settings(labelled_share=0.25))
    experts, mixing, dev, test = (
        numbers(digits.images) for digits in (parts.experts, parts.mixing, parts.dev, parts.test)
    )
    assert (len(experts), len(mixing), len(dev), len(test)) == (90, 270, 40, 200)
    assert len(experts | mixing | dev) == 400
    assert max(experts | mixing | dev) < 1000 <= min(test)
    for digits in (parts.experts, parts.mixing, parts.dev, parts.test):
        assert (digits.images[np.arange(len(digits)), digits.labels] == 255).all()


def test_all_labels_serve_experts_and_mixtures_alike(small_mnist):
    parts = split_digits(small_mnist, settings())
    assert numbers(parts.experts.images) == numbers(parts.mixing.images)
    assert len(parts.experts) == 360


def test_labelled_images_can_be_mixed_too(small_mnist):
    parts = split_digits(small_mnist, settings(labelled_share=0.5, reuse_labelled=True))
    assert (len(parts.experts), len(parts.mixing)) == (180, 360)


def test_fewer_labels_are_some_of_more_and_dev_images_stay_the_same(small_mnist):
    few, many = (split_digits(small_mnist, settings(labelled_share=share)) for share in (0.1, 1.0))
    assert numbers(few.experts.images) < numbers(many.experts.images)
    assert numbers(few.dev.images) == numbers(many.dev.images)


def test_another_seed_shares_out_otherwise(small_mnist):
    one, other = (split_digits(small_mnist, settings(seed=seed)) for seed in (1, 2))
    assert numbers(one.dev.images) != numbers(other.dev.images)


def test_classes_become_streams_in_their_order(small_mnist):
    parts = split_digits(small_mnist, settings(classes=(3, 7), test_counts=(1,)))
    assert set(parts.test.labels) == {0, 1}
    assert (parts.test.images[parts.test.labels == 1][:, 7] == 255).all()


def test_prepared_sets_hold_what_their_names_say(small_mnist):
    path = prepare_digits(small_mnist, settings())
    for use, first in (("dev", 0), ("test", 1000)):
        for count in (2, 3, 4):
            found = read_mixtures(small_mnist / f"{use}_K{count}.safetensors")
            assert found.mixtures.shape == (30, 784)
            assert (found.pattern.sum(1) == count).all()
            assert found.noise_scale == 0
            assert min(numbers(found.images)) // 1000 * 1000 == first
            streams = [np.flatnonzero(row) for row in found.pattern]
            rows = found.source_array().reshape(30, count, 28, 28)
            for of_mixture, shown in zip(streams, rows, strict=True):
                assert (shown[np.arange(count), of_mixture] == 1).all()
    bernoulli = read_mixtures(small_mnist / "test_bernoulli.safetensors")
    assert bernoulli.noise_scale == 0.1
    assert 0 < bernoulli.pattern.mean() < 0.2
    assert len(read_images(small_mnist / "test_digits.safetensors")) == 200
    summary = json.loads(path.read_text())
    assert summary["images"]["experts"] == [36] * 10
    assert summary["mixtures"]["test_K2"]["mixtures"] == 30
    assert len(summary["mnist_sha256"]["t10k-labels-idx1-ubyte"]) == 64


def test_sets_are_drawn_apart(small_mnist):
    prepare_digits(small_mnist, settings())
    two = read_mixtures(small_mnist / "test_K2.safetensors").pattern
    assert len(np.unique(two, axis=0)) > 10
    dev = read_mixtures(small_mnist / "dev_K2.safetensors").pattern
    assert not np.array_equal(two, dev)


def test_preparing_twice_makes_the_same_bytes(small_mnist):
    def contents():
        prepare_digits(small_mnist, settings())
        return {path.name: path.read_bytes() for path in small_mnist.iterdir()}

    assert contents() == contents()


def test_letters_are_streams_after_the_digits(small_mnist):
    given = settings(classes=(0, 1), n_letters=2, letter_images=20, test_counts=(4,))
    prepare_digits(small_mnist, given)
    found = read_mixtures(small_mnist / "test_K4.safetensors")
    assert found.streams == ("0", "1", "A", "B") == given.streams
    assert found.pattern.all()
    experts = read_images(small_mnist / "experts.safetensors")
    assert np.bincount(experts.labels).tolist() == [36, 36, 20, 20]


def test_letters_alone_need_no_mnist(tmp_path):
    alone = settings(classes=(), n_letters=2, letter_images=10, test_counts=(1,))
    assert json.loads(prepare_digits(tmp_path, alone).read_text())["streams"] == ["A", "B"]


def test_nothing_kept_out_makes_no_dev_sets(small_mnist):
    prepare_digits(small_mnist, settings())
    prepare_digits(small_mnist, settings(dev_share=0.0, test_counts=()))
    assert not (small_mnist / "dev_digits.safetensors").exists()
    assert len(read_images(small_mnist / "experts.safetensors")) == 400


def test_no_set_of_an_earlier_preparation_is_left(small_mnist):
    prepare_digits(small_mnist, settings())
    prepare_digits(small_mnist, settings(dev_share=0.0, test_counts=(2,)))
    sets = {path.stem for path in small_mnist.glob("*_*.safetensors")}
    assert sets == {"test_digits", "test_K2", "test_bernoulli"}


def test_a_folder_prepared_by_other_settings_is_refused_by_name(small_mnist):
    with pytest.raises(BadFile, match="run diarize prepare first"):
        check_prepared(small_mnist, settings())
    prepare_digits(small_mnist, settings())
    check_prepared(small_mnist, settings(noise_scale=0.5, mixture_batch=5))
    with pytest.raises(BadFile, match=r"prepared with labelled_share = 1\.0, and 0\.5 is wanted"):
        check_prepared(small_mnist, settings(labelled_share=0.5))
    (small_mnist / "summary.json").write_text("[]")
    with pytest.raises(BadFile, match="cannot be read"):
        check_prepared(small_mnist, settings())


def test_a_class_without_images_is_told(small_mnist):
    labels = np.repeat(np.arange(10), 40).astype(np.uint8)
    labels[labels == 3] = 4
    (small_mnist / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    with pytest.raises(BadFile, match="train part has no image of a 3"):
        prepare_digits(small_mnist, settings())


def test_a_share_too_small_for_one_image_is_told(small_mnist):
    with pytest.raises(BadFile, match=r"36 training and 20 test images of '0' are too few"):
        prepare_digits(small_mnist, settings(labelled_share=0.01))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"labelled_share": 0.0}, "labelled_share = 0.0; expected over 0"),
        ({"labelled_share": 1.1}, "labelled_share = 1.1"),
        ({"dev_share": 1.0}, "dev_share = 1.0"),
        ({"classes": [3, 2]}, "expected digits in ascending order"),
        ({"classes": [9, 10]}, "expected digits in ascending order"),
        ({"classes": []}, "expected at least one stream"),
        ({"n_letters": 31}, "n_letters = 31; expected 0 to 30"),
        ({"test_counts": [2, 11]}, "test_counts has 11; expected 0 to the 10 streams"),
        ({"test_counts": [2, 2]}, "expected each once"),
        ({"presence": -0.1}, "presence = -0.1"),
        ({"noise_scale": float("nan")}, "noise_scale = nan"),
        ({"presence_by_count": [0.5, 0.4]}, "chances that add up to 1"),
        ({"presence_by_count": [0.0] * 11 + [1.0]}, "goes up to 11 at once; there are 10"),
        ({"expert_batch": 128}, "expected a multiple of that, such as 130"),
        ({"n_train_mixtures": 100}, "at least one batch of 125"),
        ({"seed": -1}, "seed = -1; expected 0 or more"),
        ({"corpus": "faces"}, "one of 'digits' is wanted"),
        ({"augment": {"scale": 2}}, "scale = 2"),
    ],
)
def test_settings_that_cannot_be_meant_are_one_line(given, says):
    with pytest.raises(BadFile) as caught:
        build(DigitSettings, given, "a.toml [data]")
    assert str(caught.value).startswith("a.toml [data]: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_defaults_hold_together():
    assert DigitSettings().n_streams == 10
    assert DigitSettings(n_letters=30, expert_batch=800).n_streams == 40
    with pytest.raises(BadCall, match="such as 520"):
        DigitSettings(n_letters=30)
