from itertools import pairwise

import numpy as np
import pytest
import torch

from diarize.features.segmentation import HOP_S, RATE_HZ, START_S, LocalActivity, window_starts
from diarize.features.speaker import all_frames
from diarize.inference.voices import (
    GLIMPSE_HOP_S,
    GLIMPSES_S,
    LEAST_GLIMPSE,
    LEAST_UNIT_S,
    UNIT_S,
    hear_voices,
)

DURATION_S = 24.0
N_WINDOW_FRAMES = 589
# who talks when: they meet from 4.0 s to 5.5 s; B only ever interrupts after 10 s; C is brief
TALK = {
    "A": [(1.0, 5.5), (7.0, 8.2), (9.0, 9.2), (14.0, 23.0)],
    "B": [(4.0, 6.5), (15.0, 16.0)],
    "C": [(12.0, 12.2)],
}


class Listener:
    """A speaker network whose statistics say which frames went into them, one number a frame."""

    hop_samples = 320
    reach_samples = 80
    n_frames = round(DURATION_S * RATE_HZ / hop_samples)
    statistic = 1 + n_frames
    dimension = n_frames

    def frames(self, samples):
        numbers = samples[:: self.hop_samples].long()
        return torch.nn.functional.one_hot(numbers, self.n_frames).T.float()

    def summarise(self, frames):
        return torch.cat([torch.tensor([float(frames.shape[1])]), frames.sum(dim=1)])

    def embed(self, statistics):
        return statistics[:, 1:]


HOP_NETWORK_S = Listener.hop_samples / RATE_HZ


def on_frames(spans, middle_s):
    on = np.zeros(len(middle_s), bool)
    for start_s, end_s in spans:
        on |= (middle_s >= start_s) & (middle_s < end_s)
    return on


def window_middles(first):
    return START_S + (first + np.arange(N_WINDOW_FRAMES) + 0.5) * HOP_S


def local_activity(talk):
    """What a perfect segmentation says; the place of a speaker changes from window to window."""
    starts = window_starts(round(DURATION_S * RATE_HZ), 148)
    posterior = np.zeros((len(starts), N_WINDOW_FRAMES, 3), np.float32)
    for window, first in enumerate(starts):
        for number, name in enumerate(talk):
            posterior[window, :, (number + window) % 3] = on_frames(
                talk[name], window_middles(first)
            )
    return LocalActivity(
        posterior=posterior,
        speech=posterior.max(axis=-1),
        overlap=(posterior.sum(axis=-1) > 1).astype(np.float32),
        first_frame=starts,
        n_frames=int(starts[-1]) + N_WINDOW_FRAMES,
    )


def heard_by(network, talk, progress=None, features=None):
    local = local_activity(talk)
    middle_s = START_S + (np.arange(local.n_frames) + 0.5) * HOP_S
    speech = on_frames([span for spans in talk.values() for span in spans], middle_s)
    speech = speech.astype(np.float32)
    return hear_voices(network, numbered_samples(), local, speech, progress, features)


def numbered_samples():
    return np.repeat(np.arange(Listener.n_frames, dtype=np.float32), Listener.hop_samples)


def listen(talk, progress=None):
    return heard_by(Listener(), talk, progress)


@pytest.fixture(scope="module")
def voices():
    return listen(TALK)


@pytest.fixture(scope="module")
def truth():
    """Who talks in the frames of the speaker network: (person, frame)."""
    middle_s = (np.arange(Listener.n_frames) + 0.5) * HOP_NETWORK_S
    return np.array([on_frames(spans, middle_s) for spans in TALK.values()])


def widened(on, n_frames=1):
    """The two grids differ by less than half a frame each, and so does the rounding."""
    kernel = np.ones(2 * n_frames + 1)
    return np.array([np.convolve(row, kernel, "same") > 0 for row in np.atleast_2d(on)])


def units_on(voices):
    return voices.units.statistic[:, 1:]


def test_units_are_speech_of_one_alone(voices, truth):
    solo = truth & (truth.sum(axis=0) == 1)
    for unit in units_on(voices):
        outside = [(unit > 0) & ~row for row in widened(solo)]
        assert min(row.sum() for row in outside) == 0  # all of it within one person's


def test_units_tile_what_is_said_alone_and_count_nothing_twice(voices, truth):
    taken = units_on(voices).sum(axis=0)
    assert taken.max() == 1
    solo = (truth.sum(axis=0) == 1) & ~truth[2]
    solo &= np.arange(len(solo)) * HOP_NETWORK_S < 23.0
    missed = solo & ~widened(taken > 0)[0]
    assert missed.sum() * HOP_NETWORK_S < 0.1


def test_units_are_about_as_long_as_they_should_be(voices):
    talk_s = voices.units.talk_s
    assert talk_s.max() <= 1.5 * UNIT_S + HOP_NETWORK_S
    assert talk_s.min() >= LEAST_UNIT_S
    np.testing.assert_allclose(talk_s, units_on(voices).sum(axis=1) * HOP_NETWORK_S)
    # 11.5 s of A alone, and B's second after the overlap
    assert talk_s.sum() == pytest.approx(3.0 + 1.2 + 0.2 + 8.0 + 1.0, abs=0.2)


def test_units_come_from_as_few_windows_as_cover_the_recording(voices):
    assert len(np.unique(voices.units.window)) == 3  # of ten seconds, for 24 s


def test_units_know_the_window_and_the_place_they_are_from(voices, truth):
    units = voices.units
    assert len(units.window) == len(units.place) == len(units.talk_s)
    for row, window, place in zip(units_on(voices), units.window, units.place, strict=True):
        person = (place - window) % 3
        assert not ((row > 0) & ~widened(truth[person])[0]).any()


def test_who_speaks_too_little_makes_no_unit_but_is_heard(voices, truth):
    assert not (units_on(voices).sum(axis=0)[truth[2]]).any()
    heard = (voices.local_place - voices.local_window) % 3
    assert (heard == 2).any()


def test_a_local_voice_is_what_its_speaker_says_alone_in_the_window(voices, truth):
    assert len(voices.local) == len(voices.local_window) == len(voices.local_place)
    pairs = list(zip(voices.local_window, voices.local_place, strict=True))
    assert len(set(pairs)) == len(pairs)
    starts = local_activity(TALK).first_frame
    for row, (window, place) in zip(voices.local, pairs, strict=True):
        person = (place - window) % 3
        assert not ((row > 0) & ~widened(truth[person])[0]).any()
        at = np.flatnonzero(row) * HOP_NETWORK_S
        assert at.min() >= starts[window] * HOP_S
        assert at.max() <= starts[window] * HOP_S + 10.0


def test_with_too_little_alone_overlapped_speech_counts_as_well():
    talk = {"A": [(1.0, 9.0)], "B": [(4.0, 6.0)], "C": []}
    voices = listen(talk)
    of_b = (voices.local_place - voices.local_window) % 3 == 1
    assert of_b.any()
    assert voices.local[of_b][0].sum() * HOP_NETWORK_S == pytest.approx(2.0, abs=0.05)
    of_a = (voices.local_place - voices.local_window) % 3 == 0
    assert voices.local[of_a][0].sum() * HOP_NETWORK_S == pytest.approx(6.0, abs=0.05)


@pytest.mark.parametrize("size", range(len(GLIMPSES_S)))
def test_glimpses_hold_speech_only_and_lie_where_there_is_some(voices, truth, size):
    anyone = truth.any(axis=0)
    glimpse, at_s = voices.glimpse[size], voices.glimpse_s[size]
    n_whole = round(GLIMPSES_S[size] / HOP_NETWORK_S)
    assert len(glimpse) == len(at_s) > 50
    for row, middle_s in zip(glimpse, at_s, strict=True):
        assert not ((row > 0) & ~widened(anyone)[0]).any()
        assert LEAST_GLIMPSE * n_whole - 2 <= row.sum() <= n_whole
        within_s = np.abs((np.flatnonzero(row) + 0.5) * HOP_NETWORK_S - middle_s)
        assert within_s.max() <= GLIMPSES_S[size] / 2
    assert all(earlier < later for earlier, later in pairwise(at_s))


@pytest.mark.parametrize("size", range(len(GLIMPSES_S)))
def test_speech_is_glimpsed_every_fifth_of_a_second(voices, size):
    at_s = voices.glimpse_s[size]
    for start_s, end_s in [(2.0, 6.0), (15.0, 22.0)]:
        here = at_s[(at_s > start_s) & (at_s < end_s)]
        np.testing.assert_allclose(np.diff(here), GLIMPSE_HOP_S)
        assert len(here) >= (end_s - start_s) / GLIMPSE_HOP_S - 1


def test_silence_has_no_voices_but_arrays_of_the_right_shape():
    voices = listen({"A": [], "B": [], "C": []})
    assert voices.units.statistic.shape == (0, Listener.statistic)
    assert voices.units.talk_s.shape == voices.units.window.shape == (0,)
    assert voices.local.shape == (0, Listener.dimension)
    assert voices.local_window.shape == voices.local_place.shape == (0,)
    assert [glimpse.shape for glimpse in voices.glimpse] == [(0, Listener.dimension)] * 2
    assert [at_s.shape for at_s in voices.glimpse_s] == [(0,)] * 2


def test_progress_ends_at_one():
    told = []
    listen({"A": [(2.0, 3.0)], "B": [], "C": []}, told.append)
    assert told == sorted(told)
    assert told[-1] == 1


class Wavy(Listener):
    """Features that half precision cannot hold; it counts how often it is asked for them."""

    statistic = 1 + 2 * 8
    dimension = 16

    def __init__(self):
        self.n_asked = 0

    def frames(self, samples):
        self.n_asked += 1
        return (samples[:: self.hop_samples] * torch.arange(1, 9)[:, None] / 7).sin() + 2

    def summarise(self, frames):
        count = torch.tensor([float(frames.shape[1])])
        return torch.cat([count, frames.sum(dim=1), frames.square().sum(dim=1)])

    def embed(self, statistics):
        return torch.nn.functional.normalize(statistics[:, 1:].float(), dim=1)


def test_voices_out_of_features_that_were_kept_are_those_heard_up_to_half_precision():
    network = Wavy()
    anew = heard_by(network, TALK)
    features = all_frames(network, numbered_samples())
    n_asked = network.n_asked
    kept = heard_by(network, TALK, features=features)
    assert network.n_asked == n_asked  # the samples are not listened to again
    np.testing.assert_allclose(kept.units.statistic, anew.units.statistic, rtol=2e-3)
    np.testing.assert_array_equal(kept.units.talk_s, anew.units.talk_s)
    np.testing.assert_array_equal(kept.units.window, anew.units.window)
    np.testing.assert_array_equal(kept.units.place, anew.units.place)
    np.testing.assert_allclose(kept.local, anew.local, atol=2e-3)
    np.testing.assert_array_equal(kept.local_window, anew.local_window)
    np.testing.assert_array_equal(kept.local_place, anew.local_place)
    for size in range(len(GLIMPSES_S)):
        np.testing.assert_allclose(kept.glimpse[size], anew.glimpse[size], atol=2e-3)
        np.testing.assert_array_equal(kept.glimpse_s[size], anew.glimpse_s[size])
    assert np.abs(kept.units.statistic - anew.units.statistic).max() > 0
