import numpy as np
import pytest

from diarize.features.segmentation import HOP_S, START_S, LocalActivity
from diarize.inference.stitch import (
    NOBODY,
    BlendSettings,
    Stitched,
    blend,
    match_windows,
    overlap_add,
    similarity_over_time,
)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def local_activity(posterior, first_frame, n_frames, speech=None, overlap=None):
    posterior = np.asarray(posterior, dtype=np.float32)
    anyone = posterior.max(axis=-1)
    return LocalActivity(
        posterior=posterior,
        speech=anyone if speech is None else speech,
        overlap=np.zeros_like(anyone) if overlap is None else overlap,
        first_frame=np.asarray(first_frame),
        n_frames=n_frames,
    )


@pytest.fixture
def made_up(generator):
    """Four windows of 20 frames with random contents, and names for their local speakers."""
    posterior = generator.random((4, 20, 3), dtype=np.float32)
    local = local_activity(posterior, [0, 7, 13, 20], 40)
    return local, np.array([generator.permutation(3) for _ in range(4)])


def test_in_a_window_no_speaker_is_given_twice(generator):
    window = generator.integers(0, 12, 30)
    speaker = match_windows(generator.random((30, 4)), window)
    for number in np.unique(window):
        given = speaker[window == number]
        named = given[given != NOBODY]
        assert len(np.unique(named)) == len(named) == min(4, len(given))


def test_windows_do_not_disturb_each_other():
    similarity = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    assert match_windows(similarity, np.array([2, 0, 1])).tolist() == [0, 0, 0]


def test_who_finds_no_free_speaker_is_nobody():
    similarity = np.array([[0.9, 0.8], [0.7, 0.1], [0.6, 0.5]])
    # 0.7 + 0.8 is the most that two of the three can have
    assert match_windows(similarity, np.array([5, 5, 5])).tolist() == [1, 0, NOBODY]


def test_somebody_is_named_even_where_nobody_is_much_alike():
    assert match_windows(np.array([[-0.5, -0.2]]), np.array([0])).tolist() == [1]


def test_no_item_is_no_name():
    assert match_windows(np.zeros((0, 3)), np.zeros(0, np.int64)).shape == (0,)


def test_windows_that_agree_add_up_to_what_they_agree_on():
    posterior = np.full((3, 10, 2), 0.6, np.float32)
    constant = np.full((3, 10), 0.3, np.float32)
    local = local_activity(posterior, [0, 4, 8], 17, constant, constant / 3)
    stitched = overlap_add(local, np.array([[0, NOBODY]] * 3), 1)
    assert stitched.posterior.shape == (1, 17)
    np.testing.assert_allclose(stitched.posterior, 0.6, atol=1e-6)
    np.testing.assert_allclose(stitched.speech, 0.3, atol=1e-6)
    np.testing.assert_allclose(stitched.overlap, 0.1, atol=1e-6)


def test_windows_that_differ_count_by_how_near_their_middle_the_frame_is():
    posterior = np.zeros((2, 3, 1), np.float32)
    posterior[0] = 1
    local = local_activity(posterior, [0, 1], 4)
    stitched = overlap_add(local, np.zeros((2, 1), np.int64), 1)
    # a Hamming window of three: 0.08, 1, 0.08
    np.testing.assert_allclose(stitched.posterior[0], [1, 1 / 1.08, 0.08 / 1.08, 0], atol=1e-6)


def test_other_names_are_other_rows_of_the_same(made_up, generator):
    local, speaker = made_up
    renamed = np.array([2, 0, 1])
    posterior = overlap_add(local, speaker, 3).posterior
    permuted = overlap_add(local, renamed[speaker], 3).posterior
    np.testing.assert_array_equal(permuted[renamed], posterior)


def test_probabilities_stay_between_nothing_and_certainty(made_up):
    local, speaker = made_up
    everybody_the_same = np.zeros_like(speaker)
    stitched = overlap_add(local, everybody_the_same, 2)
    for row in (stitched.posterior, stitched.speech, stitched.overlap):
        assert np.isfinite(row).all()
        assert row.min() >= 0
        assert row.max() <= 1
    assert not stitched.posterior[1].any()


def test_without_names_speech_is_still_there(made_up):
    local, speaker = made_up
    nobody = overlap_add(local, np.full_like(speaker, NOBODY), 0)
    assert nobody.posterior.shape == (0, 40)
    np.testing.assert_array_equal(nobody.speech, overlap_add(local, speaker, 3).speech)


def frame_at(time_s):
    return round((time_s - START_S) / HOP_S)


def test_a_frame_is_judged_by_the_glimpse_nearest_to_it():
    speakers = np.eye(2, dtype=np.float32)
    glimpses = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    at_s = np.array([0.5, 1.5, 4.5])
    similarity = similarity_over_time((glimpses,), (at_s,), speakers, 400)
    assert similarity.shape == (2, 400)
    for time_s, nearest in [(0.1, 0), (0.9, 0), (1.1, 1), (2.9, 1), (3.1, 2), (6.5, 2)]:
        np.testing.assert_allclose(similarity[:, frame_at(time_s)], glimpses[nearest])


def test_sizes_of_glimpses_are_averaged_and_one_without_any_says_nothing():
    speakers = np.eye(2, dtype=np.float32)
    first, second = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)
    none, never = np.zeros((0, 2), np.float32), np.zeros(0)
    one = np.array([1.0])
    both = similarity_over_time((first, second), (one, one), speakers, 10)
    np.testing.assert_allclose(both, 0.5)
    alone = similarity_over_time((first, none), (one, never), speakers, 10)
    np.testing.assert_allclose(alone, np.repeat([[1.0], [0.0]], 10, axis=1))


def test_without_a_glimpse_nobody_is_alike():
    none, never = np.zeros((0, 2), np.float32), np.zeros(0)
    speakers = np.eye(2, dtype=np.float32)
    assert not similarity_over_time((none, none), (never, never), speakers, 10).any()
    assert similarity_over_time((none,), (never,), speakers[:0], 10).shape == (0, 10)


@pytest.fixture
def stitched(generator):
    return Stitched(
        posterior=generator.random((3, 50), dtype=np.float32),
        speech=generator.random(50, dtype=np.float32),
        overlap=generator.random(50, dtype=np.float32),
    )


@pytest.fixture
def similarity(generator):
    return generator.uniform(-1, 1, (3, 50)).astype(np.float32)


def test_with_all_weight_on_the_windows_nothing_changes(stitched, similarity):
    blended = blend(stitched, similarity, BlendSettings(window_weight=1.0))
    np.testing.assert_array_equal(blended.posterior, stitched.posterior)


def test_with_none_the_voices_share_the_speech_among_them(stitched, similarity):
    blended = blend(stitched, similarity, BlendSettings(window_weight=0.0))
    np.testing.assert_allclose(blended.posterior.sum(axis=0), stitched.speech, rtol=1e-5)
    np.testing.assert_array_equal(blended.posterior.argmax(axis=0), similarity.argmax(axis=0))


def test_the_blend_by_hand():
    one_frame = Stitched(np.array([[0.9], [0.1]]), np.array([0.8]), np.array([0.0]))
    similarity = np.array([[0.2], [0.2 + np.log(3) / 10]])  # three to one for the second
    blended = blend(one_frame, similarity, BlendSettings(window_weight=0.4, sharpness=10.0))
    # 0.4 * 0.9 + 0.6 * 0.25 * 0.8 and 0.4 * 0.1 + 0.6 * 0.75 * 0.8
    np.testing.assert_allclose(blended.posterior, [[0.48], [0.40]])


def test_blending_touches_neither_speech_nor_overlap_and_stays_a_probability(stitched, similarity):
    blended = blend(stitched, similarity * 50, BlendSettings())
    np.testing.assert_array_equal(blended.speech, stitched.speech)
    np.testing.assert_array_equal(blended.overlap, stitched.overlap)
    assert np.isfinite(blended.posterior).all()
    assert blended.posterior.min() >= 0
    assert blended.posterior.max() <= 1


def test_with_nobody_there_is_nothing_to_blend(stitched, similarity):
    nobody = Stitched(stitched.posterior[:0], stitched.speech, stitched.overlap)
    assert blend(nobody, similarity[:0], BlendSettings()).posterior.shape == (0, 50)
