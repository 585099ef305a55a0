"""Mixtures: what is on, what it shows, and what it adds up to."""

import numpy as np
import pytest

from diarize.corpora.digit_mixtures import (
    ImagePool,
    draw_pattern,
    laplace,
    read_mixtures,
    save_mixtures,
    sums,
)
from diarize.corpora.tensors import save_tensors
from diarize.errors import BadCall, BadFile

FACTS = {"streams": "0 1 2", "noise_scale": "0", "noise_seed": "7"}


def chance(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def pool():
    """Five images of four pixels: the brightness of each, in 255ths, is 10 times its stream."""
    labels = np.array([2, 0, 1, 2, 1])
    images = np.repeat(10 * labels[:, None] + np.arange(5)[:, None], 4, 1).astype(np.uint8)
    return ImagePool(images, labels, 3)


def test_a_pool_draws_images_of_the_streams_that_are_on_in_their_order(pool):
    pattern = np.array([[True, False, True], [False, False, False], [True, True, True]])
    index = pool.draw(pattern, chance())
    assert index.shape == (3, 3)
    for row, on in zip(index, pattern, strict=True):
        count = on.sum()
        assert (row[count:] == -1).all()
        assert (pool.images[row[:count], 0] // 10).tolist() == np.flatnonzero(on).tolist()


def test_a_pool_draws_every_image_of_a_stream_alike(pool):
    index = pool.draw(np.tile([False, False, True], (4000, 1)), chance())
    shares = np.bincount(index[:, 0], minlength=5) / 4000
    assert shares == pytest.approx([0, 0, 0, 0.5, 0.5], abs=0.03)


def test_mixtures_of_nothing_have_a_place_for_one_and_add_up_to_black(pool):
    index = pool.draw(np.zeros((2, 3), bool), chance())
    assert index.tolist() == [[-1], [-1]]
    assert not sums(pool.images, index).any()


def test_a_sum_is_not_clipped():
    images = np.full((2, 4), 200, np.uint8)
    total = sums(images, np.array([[0, 1]], np.int32))
    assert total == pytest.approx(400 / 255)


@pytest.mark.parametrize(
    ("labels", "says"),
    [([0, 3], "labels 0 to 3; expected 0 to 2"), ([-1, 0], "labels -1"), ([0, 2], "of stream 1")],
)
def test_a_pool_refuses_labels_out_of_range_and_empty_streams(labels, says):
    with pytest.raises(BadFile, match=says):
        ImagePool(np.zeros((2, 4), np.uint8), np.array(labels), 3)


def test_each_stream_is_on_by_itself_with_its_chance():
    pattern = draw_pattern(20_000, 5, 0.1, chance())
    assert pattern.mean(0) == pytest.approx(np.full(5, 0.1), abs=0.01)
    assert (~pattern).all(1).mean() == pytest.approx(0.9**5, abs=0.01)


def test_as_many_streams_are_on_as_was_drawn_and_all_streams_alike():
    pattern = draw_pattern(20_000, 5, (0.25, 0.0, 0.5, 0.25), chance())
    counts = np.bincount(pattern.sum(1), minlength=6) / 20_000
    assert counts == pytest.approx([0.25, 0, 0.5, 0.25, 0, 0], abs=0.015)
    assert pattern.mean(0) == pytest.approx(np.full(5, 1.75 / 5), abs=0.015)


def test_the_noise_is_laplacian():
    noise = laplace((200_000,), 0.1, chance())
    assert np.abs(noise).mean() == pytest.approx(0.1, rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.002)
    beyond = (np.abs(noise) > 0.3).mean()
    assert beyond == pytest.approx(np.exp(-3), rel=0.05)


def test_a_saved_set_reads_as_sums_of_its_sources(pool, tmp_path):
    pattern = np.array([[True, False, True], [False, True, True]])
    index = pool.draw(pattern, chance())
    save_mixtures(tmp_path / "set", pool, index, pattern, FACTS)
    found = read_mixtures(tmp_path / "set")
    assert len(found) == 2
    assert np.array_equal(found.pattern, pattern)
    assert found.streams == ("0", "1", "2")
    assert np.array_equal(found.mixtures, sums(pool.images, index))
    for mixture, sources in zip(found.mixtures, found.sources, strict=True):
        assert np.array_equal(sources.sum(0), mixture)
    assert np.array_equal(found.source_array(), np.stack(found.sources))
    assert len(found.images) <= 4  # only those in use


def test_sources_of_unlike_numbers_make_no_array(pool, tmp_path):
    pattern = np.array([[True, False, False], [True, True, False]])
    save_mixtures(tmp_path / "set", pool, pool.draw(pattern, chance()), pattern, FACTS)
    found = read_mixtures(tmp_path / "set")
    assert [len(sources) for sources in found.sources] == [1, 2]
    with pytest.raises(BadCall, match="mixtures of 1, 2 sources"):
        found.source_array()


def test_noise_of_a_set_is_the_same_at_each_reading(pool, tmp_path):
    pattern = np.ones((50, 3), bool)
    index = pool.draw(pattern, chance())
    save_mixtures(tmp_path / "set", pool, index, pattern, FACTS | {"noise_scale": "0.1"})
    first, again = (read_mixtures(tmp_path / "set") for _ in range(2))
    assert first.noise_scale == 0.1
    assert np.array_equal(first.mixtures, again.mixtures)
    noise = first.mixtures - sums(pool.images, index)
    assert np.abs(noise).mean() == pytest.approx(0.1, rel=0.2)


def test_the_same_set_makes_the_same_bytes(pool, tmp_path):
    pattern = np.ones((5, 3), bool)
    for name in ("a", "b"):
        save_mixtures(tmp_path / name, pool, pool.draw(pattern, chance()), pattern, FACTS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"index": np.array([[0, 1]], np.int32)}, "index and pattern do not agree"),
        ({"index": np.array([[9]], np.int32)}, "index and pattern do not agree"),
        ({"pattern": np.ones((1, 2), bool)}, "index and pattern do not agree"),
        ({"pattern": None}, "no array 'pattern' in it"),
    ],
)
def test_a_file_that_is_no_such_set_is_told(changed, says, tmp_path):
    arrays = {
        "images": np.zeros((2, 784), np.uint8),
        "index": np.array([[0]], np.int32),
        "pattern": np.array([[True, False, False]]),
    } | changed
    save_tensors(tmp_path / "set", {k: v for k, v in arrays.items() if v is not None}, FACTS)
    with pytest.raises(BadFile, match=says):
        read_mixtures(tmp_path / "set")


def test_a_file_that_is_missing_broken_or_without_its_facts_is_told(tmp_path):
    with pytest.raises(BadFile, match="no such file; run diarize prepare"):
        read_mixtures(tmp_path / "none")
    (tmp_path / "broken").write_bytes(b"nothing of the kind")
    with pytest.raises(BadFile, match="not a whole file of arrays"):
        read_mixtures(tmp_path / "broken")
    arrays = {"images": np.zeros((1, 784), np.uint8), "index": np.zeros((1, 1), np.int32)}
    save_tensors(tmp_path / "bare", {**arrays, "pattern": np.ones((1, 1), bool)})
    with pytest.raises(BadFile, match="no 'streams' in it"):
        read_mixtures(tmp_path / "bare")
