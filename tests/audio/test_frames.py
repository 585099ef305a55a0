import numpy as np
import pytest

from diarize.audio.frames import FrameGrid, runs, to_hops, to_samples, to_seconds


def test_half_a_sample_rounds_up_whatever_binary_makes_of_it():
    assert to_samples(0.00003125, 16_000) == 1
    assert to_samples(0.145, 100) == 15  # 14.499999999999998 in binary
    assert to_hops(0.145, 0.01) == 15


def test_samples_and_seconds_go_there_and_back():
    for n_samples in (0, 1, 15_999, 57_600_000):
        assert to_samples(to_seconds(n_samples, 16_000), 16_000) == n_samples


@pytest.mark.parametrize(("duration_s", "n_frames"), [(0.0, 0), (0.3, 30), (0.301, 31), (1e-4, 1)])
def test_a_grid_covers_the_whole_recording(duration_s, n_frames):
    assert FrameGrid.over(duration_s, 0.01).n_frames == n_frames


def test_a_span_holds_the_frames_whose_middle_lies_in_it():
    grid = FrameGrid(hop_s=0.1, n_frames=10)
    assert grid.span(0.14, 0.36) == slice(1, 4)  # middles 0.15, 0.25, 0.35
    assert grid.span(0.16, 0.34) == slice(2, 3)
    assert grid.span(-1.0, 99.0) == slice(0, 10)


def test_a_grid_may_begin_later():
    grid = FrameGrid(hop_s=0.5, n_frames=4, start_s=10.0)
    assert grid.active([(10.5, 11.5)]).tolist() == [False, True, True, False]
    assert grid.spans(np.array([True, False, True, True])) == [(10.0, 10.5), (11.0, 12.0)]


def test_spans_that_touch_are_one_run_and_silence_has_none():
    grid = FrameGrid(hop_s=0.01, n_frames=100)
    assert grid.spans(grid.active([(0.1, 0.2), (0.2, 0.3)])) == [(0.1, 0.3)]
    assert runs(np.zeros(5, bool)).shape == (0, 2)
    assert runs(np.ones(5, bool)).tolist() == [[0, 5]]
