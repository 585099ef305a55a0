import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.viz.spectrogram import RANGE_DB, spectrogram_db, stem_spectrograms

RATE_HZ = 8000
TIME_S = np.arange(RATE_HZ) / RATE_HZ
LOW, HIGH = (np.sin(2 * np.pi * hz * TIME_S).astype(np.float32) for hz in (500, 3000))


def test_a_tone_is_in_the_bin_of_its_frequency():
    loudest = spectrogram_db(LOW).mean(axis=1).argmax()
    assert loudest * RATE_HZ / 1024 == pytest.approx(500, abs=8)


def test_a_figure_has_a_row_a_stem_and_one_for_the_mixture_on_one_scale():
    figure = stem_spectrograms({"low": LOW, "high": HIGH}, {"high": HIGH, "low": LOW}, RATE_HZ)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 6
    assert {image.get_clim() for image in images} == {images[0].get_clim()}
    low, high = images[0].get_clim()
    assert high - low == pytest.approx(RANGE_DB)
    np.testing.assert_array_equal(images[2].get_array(), images[3].get_array())


def test_a_sound_shorter_than_a_window_can_be_drawn():
    assert np.isfinite(spectrogram_db(LOW[:10])).all()


def test_stems_that_there_are_not_are_refused():
    with pytest.raises(BadCall, match="stems high; expected low"):
        stem_spectrograms({"low": LOW}, {"high": HIGH}, RATE_HZ)
    with pytest.raises(BadCall, match="expected some"):
        stem_spectrograms({}, {}, RATE_HZ)
