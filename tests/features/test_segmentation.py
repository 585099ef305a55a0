from itertools import pairwise

import numpy as np
import pytest
import torch

from diarize.errors import BadFile, MissingWeights
from diarize.features.segmentation import (
    FRAME_HOP_SAMPLES,
    HOP_S,
    POWERSET,
    RECEPTIVE_SAMPLES,
    START_S,
    WINDOW_SAMPLES,
    Segmentation,
    load_segmentation,
    n_segmentation_frames,
    segment,
    window_starts,
)


class Steadfast(Segmentation):
    """Says of every frame what it is told to, and keeps what it was given."""

    # nobody, three alone, three pairs, in the order of POWERSET
    pattern = torch.tensor([0.1, 0.2, 0.05, 0.05, 0.4, 0.15, 0.05])

    def __init__(self):
        super().__init__()
        self.given = []

    def context(self, samples):
        """Which frame of which of all windows it is."""
        n_frames = n_segmentation_frames(samples.shape[1])
        window = sum(len(one) for one in self.given) + torch.arange(len(samples))
        self.given.append(samples.clone())
        hidden = torch.zeros(len(samples), n_frames, 128)
        hidden[..., 0], hidden[..., 1] = window[:, None], torch.arange(n_frames)
        return hidden

    def classify(self, context):
        return self.pattern.log().expand(*context.shape[:2], len(POWERSET))


@pytest.fixture(scope="module")
def untrained():
    return Segmentation().eval()


@pytest.mark.parametrize("n_samples", [1_261, 1_530, 1_531, 16_000, 47_999, 160_000])
def test_the_frames_foretold_are_those_the_network_gives(untrained, n_samples):
    with torch.inference_mode():
        log_probability = untrained(torch.zeros(2, n_samples))
    assert log_probability.shape == (2, n_segmentation_frames(n_samples), 7)


@pytest.mark.parametrize(
    ("n_samples", "n_frames"),
    [(0, 0), (250, 0), (RECEPTIVE_SAMPLES - 1, 0), (RECEPTIVE_SAMPLES, 1), (160_000, 589)],
)
def test_a_frame_needs_all_that_it_sees(n_samples, n_frames):
    assert n_segmentation_frames(n_samples) == n_frames


def test_one_more_hop_is_one_more_frame():
    lengths = range(RECEPTIVE_SAMPLES, WINDOW_SAMPLES, FRAME_HOP_SAMPLES)
    assert [n_segmentation_frames(n) for n in lengths] == list(range(1, len(lengths) + 1))


def test_every_pattern_is_a_probability_and_together_they_are_one(untrained):
    samples = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        total = untrained(samples).exp().sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total))


LENGTHS = [1, 16, 159_999, 160_000, 160_001, 160_270, 161_000, 200_000, 480_000, 9_999_999]


@pytest.mark.parametrize("hop_frames", [1, 50, 148, 589, 10_000])
@pytest.mark.parametrize("n_samples", LENGTHS[:-1])
def test_windows_begin_at_zero_reach_the_end_and_leave_nothing_out(n_samples, hop_frames):
    starts = window_starts(n_samples, hop_frames)
    assert starts[0] == 0
    reach = starts[-1] * FRAME_HOP_SAMPLES + WINDOW_SAMPLES
    assert n_samples <= reach < max(WINDOW_SAMPLES, n_samples) + FRAME_HOP_SAMPLES
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps <= n_segmentation_frames(WINDOW_SAMPLES)).all()


@pytest.mark.parametrize("n_samples", LENGTHS)
def test_windows_lie_evenly_and_about_as_far_apart_as_asked(n_samples):
    steps = np.diff(window_starts(n_samples, 148))
    if len(steps):
        assert np.ptp(steps) <= 1
        assert steps.max() <= 148 * 1.5
    if len(steps) > 1:
        assert steps.min() >= 148 / 1.5 - 1


def test_a_recording_of_a_window_or_less_is_one_window():
    assert window_starts(1, 148).tolist() == window_starts(160_000, 148).tolist() == [0]
    assert len(window_starts(160_001, 148)) == 2


def test_the_powerset_is_spread_over_its_members():
    local = segment(Steadfast(), np.zeros(16_000, np.float32))
    first, second, third = local.posterior[0, 100]
    assert first == pytest.approx(0.2 + 0.4 + 0.15)
    assert second == pytest.approx(0.05 + 0.4 + 0.05)
    assert third == pytest.approx(0.05 + 0.15 + 0.05)
    assert local.speech[0, 100] == pytest.approx(0.9)
    assert local.overlap[0, 100] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("n_samples", "n_windows", "n_frames"),
    [(16, 1, 1), (270, 1, 1), (271, 1, 2), (16_000, 1, 60), (160_000, 1, 589), (161_000, 2, 593)],
)
def test_the_recording_has_the_frames_its_windows_reach(n_samples, n_windows, n_frames):
    local = segment(Steadfast(), np.zeros(n_samples, np.float32))
    assert local.n_windows == n_windows
    assert local.posterior.shape == (n_windows, 589, 3)
    assert local.speech.shape == local.overlap.shape == (n_windows, 589)
    assert local.n_frames == n_frames


@pytest.mark.parametrize("n_samples", [160_000, 234_567, 480_000])
def test_frames_end_within_three_hops_of_the_recording(n_samples):
    local = segment(Steadfast(), np.zeros(n_samples, np.float32))
    end_s = START_S + local.n_frames * HOP_S
    assert 0 <= n_samples / 16_000 - end_s < 3 * HOP_S


def test_each_window_is_cut_where_it_says_with_silence_after_the_end():
    network = Steadfast()
    samples = np.arange(1, 300_001, dtype=np.float32)
    local = segment(network, samples)
    given = torch.cat(network.given).numpy()
    assert len(given) == local.n_windows
    for window, first in zip(given, local.first_frame * FRAME_HOP_SAMPLES, strict=True):
        here = samples[first : first + WINDOW_SAMPLES]
        np.testing.assert_array_equal(window[: len(here)], here)
        assert not window[len(here) :].any()


def test_what_is_kept_of_a_frame_is_from_the_window_with_the_nearest_middle():
    local = segment(Steadfast(), np.zeros(300_000, np.float32), keep_context=True)
    window, place = local.context[:, :2].T.astype(int)
    assert len(local.context) == local.n_frames
    np.testing.assert_array_equal(local.first_frame[window] + place, np.arange(local.n_frames))
    middle = local.first_frame + 589 / 2
    nearest = np.abs(np.arange(local.n_frames)[:, None] + 0.5 - middle).min(1)
    assert (np.abs(np.arange(local.n_frames) + 0.5 - middle[window]) - nearest).max() <= 1
    assert segment(Steadfast(), np.zeros(300_000, np.float32)).context is None


def test_progress_grows_and_ends_at_one_after_several_batches():
    told = []
    segment(Steadfast(), np.zeros(900_000, np.float32), progress=told.append)
    assert len(told) > 1
    assert all(earlier < later for earlier, later in pairwise(told))
    assert told[-1] == 1


def test_a_window_gives_the_same_alone_and_among_others(segmentation, real):
    samples = real("ami_clips/trn00.flac", 0, 18)
    local = segment(segmentation, samples)
    at = 2
    first = int(local.first_frame[at]) * FRAME_HOP_SAMPLES
    alone = segment(segmentation, samples[first : first + WINDOW_SAMPLES])
    np.testing.assert_allclose(local.posterior[at], alone.posterior[0], atol=1e-4)
    np.testing.assert_allclose(local.speech[at], alone.speech[0], atol=1e-4)


def test_speech_is_found_in_a_meeting_where_somebody_is_said_to_talk(segmentation, real):
    # trn00: MEE068 talks from 11.040 s to 15.632 s
    local = segment(segmentation, real("ami_clips/trn00.flac", 10, 10))
    middle_s = 10 + START_S + (np.arange(589) + 0.5) * HOP_S
    talks = (middle_s > 11.3) & (middle_s < 15.3)
    assert local.speech[0, talks].mean() > 0.8
    assert (local.posterior >= 0).all()
    assert (local.posterior <= 1 + 1e-6).all()


@pytest.mark.parametrize("n_samples", [16, 16_000])
def test_silence_is_no_speech_however_short(segmentation, n_samples):
    local = segment(segmentation, np.zeros(n_samples, np.float32))
    assert np.isfinite(local.posterior).all()
    assert local.speech.max() < 0.2


def test_a_trained_network_only_infers_and_its_filters_follow_it(segmentation):
    assert not any(module.training for module in segmentation.modules())
    assert not segmentation(torch.zeros(1, 16_000)).requires_grad
    front = segmentation.sincnet
    torch.testing.assert_close(front.filters, front.conv1d[0].filterbank())
    elsewhere = load_segmentation().double()  # any move: a device is none on most machines
    assert elsewhere(torch.zeros(1, 16_000, dtype=torch.float64)).isfinite().all()
    assert front.filters.dtype == torch.float32


def test_filters_kept_are_not_part_of_the_weights(segmentation):
    assert Segmentation().state_dict().keys() == segmentation.state_dict().keys()


def test_weights_of_another_network_are_refused_in_one_line(tmp_path):
    path = tmp_path / "other.pt"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(BadFile, match=r"other.pt: not the weights of segmentation-3.0: .*missing"):
        load_segmentation(path)


def test_a_file_that_is_not_there_is_missing_weights(tmp_path):
    with pytest.raises(MissingWeights, match=r"none.pt: no such file"):
        load_segmentation(tmp_path / "none.pt")
