"""The picture of a recording: drawn as told, for any length, without global state."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from diarize.errors import BadFile
from diarize.models.contract import Activity
from diarize.viz.timeline import drawable, png, save_png, timeline


@pytest.fixture
def found():
    annotation = Annotation()
    annotation[Segment(0, 4), 0] = "SPEAKER_00"
    annotation[Segment(3, 9), 1] = "SPEAKER_01"
    return annotation


@pytest.fixture
def true():
    annotation = Annotation()
    annotation[Segment(0, 4.2), 0] = "Ann"
    annotation[Segment(3.1, 9), 1] = "Bob"
    return annotation


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def titles(axes):
    return axes.get_title(loc="left")


def test_each_speaker_has_a_row_and_the_axis_is_the_recording(found):
    (axes,) = timeline(found, duration_s=12.0).axes
    assert names(axes) == ["SPEAKER_00", "SPEAKER_01"]
    assert axes.get_xlim() == (0, 12)
    assert titles(axes) == "found: 2 speakers"


def test_the_reference_comes_beneath_in_the_colours_of_whom_it_matches(found, true):
    above, below = timeline(found, true, duration_s=12.0).axes
    assert names(below) == ["Ann", "Bob"]
    colours = [
        [bars.get_facecolor()[0].tolist() for bars in axes.collections if bars.get_zorder() == 3]
        for axes in (above, below)
    ]
    assert colours[0] == colours[1]


def test_a_band_stands_where_both_talk(found):
    (axes,) = timeline(found, duration_s=12.0).axes
    band = next(bars for bars in axes.collections if bars.get_zorder() == 0)
    corners = band.get_paths()[0].vertices
    assert (corners[:, 0].min(), corners[:, 0].max()) == (3, 4)


def test_the_shade_is_as_strong_as_the_posterior(found):
    activity = Activity(np.array([[0.0, 0.5], [1.0, 1.0]]), 4.5, ("SPEAKER_00", "SPEAKER_01"))
    (axes,) = timeline(found, activity=activity).axes
    first, second = (image.get_array()[0, :, 3] for image in axes.images)
    assert first.tolist() == [0, 0.2]
    assert second.tolist() == [0.4, 0.4]
    assert axes.get_xlim() == (0, 9)


def test_a_speaker_without_posterior_has_no_shade(found):
    (axes,) = timeline(found, activity=Activity(np.ones((1, 3)), 1.0, ("SPEAKER_01",))).axes
    assert len(axes.images) == 1


def test_silence_is_drawn_as_such():
    (axes,) = timeline(Annotation(), duration_s=30.0).axes
    assert [text.get_text() for text in axes.texts] == ["no speech"]


def test_the_same_result_gives_the_same_bytes(found, true):
    first, second = (png(timeline(found, true, duration_s=9.0)) for _ in range(2))
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_threads_may_draw_at_once(found, true):
    with ThreadPoolExecutor(3) as pool:
        drawn = list(pool.map(lambda _: png(timeline(found, true)), range(3)))
    assert len(set(drawn)) == 1


def test_no_global_state_of_matplotlib_is_touched(found):
    from matplotlib import pyplot

    settings = dict(pyplot.rcParams)
    png(timeline(found))
    assert pyplot.get_fignums() == []
    assert dict(pyplot.rcParams) == settings


def test_names_that_the_font_or_its_formulas_would_trip_over_are_drawn():
    annotation = Annotation()
    annotation[Segment(0, 1), 0] = "$x^"
    annotation[Segment(1, 2), 1] = "会\nmeeting of the whole company"
    assert png(timeline(annotation)).startswith(b"\x89PNG")
    assert drawable("会\nab") == "? ab"
    assert drawable("x" * 40) == "x" * 23 + "…"


def test_a_picture_is_written_whole_or_not_at_all(found, tmp_path):
    figure = timeline(found)
    save_png(figure, tmp_path / "deep" / "a.png")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.png"]
    (tmp_path / "file").touch()
    with pytest.raises(BadFile, match="cannot be written"):
        save_png(figure, tmp_path / "file" / "a.png")
