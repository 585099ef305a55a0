"""A page of separated songs: pictures and players of what is true and what was found."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile

from diarize.cli import main
from diarize.errors import BadFile
from diarize.formats.tracks import Tracks, save_tracks
from diarize.viz.stem_page import stem_page

RATE_HZ = 4000


@pytest.fixture
def folders(tmp_path):
    chance = np.random.default_rng(0)
    for number in range(3):
        stems = {
            name: chance.normal(0, 0.1, (1, 20 * RATE_HZ)).astype(np.float32)
            for name in ("bass", "drums")
        }
        save_tracks(tmp_path / "true" / f"song{number}", Tracks(stems, RATE_HZ))
        components = {"component_1": stems["drums"], "component_2": stems["bass"]}
        save_tracks(tmp_path / "found" / f"song{number}", Tracks(components, RATE_HZ))
    return tmp_path / "true", tmp_path / "found"


def test_each_song_has_a_picture_and_a_player_for_each_sound(folders):
    text = stem_page("test", *folders, songs=2)
    assert text.count("<img ") == 2
    assert text.count("<audio ") == 10  # the mixture, two true stems, two found
    assert "song2" not in text
    assert "bass, found (component_2)" in text


def test_what_is_played_is_the_middle_of_the_stem(folders):
    text = stem_page("test", *folders, songs=1)
    data = re.findall(r'aria-label="drums, true" src="data:audio/flac;base64,([^"]+)"', text)
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(data[0])))
    true, _ = soundfile.read(folders[0] / "song0" / "drums.wav")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(samples, true[4 * RATE_HZ : 16 * RATE_HZ])


def test_a_song_that_was_not_separated_is_named(folders):
    with pytest.raises(BadFile, match="no such folder; expected the stems of song0"):
        stem_page("test", folders[0], folders[1] / "nowhere")


def test_stems_of_another_length_are_refused(folders):
    short = {name: np.zeros((1, 10), np.float32) for name in ("bass", "drums")}
    save_tracks(folders[1] / "song0", Tracks(short, RATE_HZ))
    with pytest.raises(BadFile, match="samples"):
        stem_page("test", *folders, songs=1)


def test_the_verb_makes_a_page_of_stems(folders, tmp_path):
    page = tmp_path / "page.html"
    call = ["report", "--result", str(folders[1]), "--reference", str(folders[0])]
    assert main([*call, "--songs", "1", "-o", str(page)]) == 0
    assert page.read_text().count("<audio ") == 5
